"""gitignore patterns, and the one place where they are compiled: what an operator wrote is one, or a ``ValueError`` says why."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError


def compiled(exclude: Sequence[str], include: Sequence[str] = ()) -> GitIgnoreSpec:
    """Patterns of which the last that matches decides; ``include`` bring back what those before exclude.

    A range that runs backwards (``[z-a]``), and brackets of which another release of Python may think otherwise (``[[a]``), are
    refused: git and rsync do not agree about them either. Raises ``ValueError`` with the reason in a few words."""
    lines = [*exclude, *(f"!{pattern}" for pattern in include)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            return GitIgnoreSpec.from_lines(lines)
    except re.error as error:
        raise ValueError(error.msg) from error
    except FutureWarning as error:
        raise ValueError("brackets within brackets, or two of -, &, ~ and | in a row in them") from error
    except GitIgnorePatternError as error:
        raise ValueError("nothing is left of it, or a \\ at its end escapes nothing") from error


def literal(path: str) -> str:
    """The pattern, from the dataset's root, that matches this relative path and nothing else."""
    return "/" + re.sub(r"([\\\[\]*?]|\s$)", r"\\\1", path)
