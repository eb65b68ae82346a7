"""What is left out of a dataset: gitignore patterns, relative to its root."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agent.config.patterns import compiled
from agent.core.errors import ConfigError

_NOTHING: Mapping[bytes, str] = MappingProxyType({})


class Rules:
    """Excluded names are as if they were not there.

    ``exclude`` are gitignore patterns, the last that matches decides; ``include`` bring back what those exclude. As
    in git, nothing below an excluded directory can be brought back. Names are matched as surrogate-escaped text, so
    any bytes will do. ``apart``: directories that are left out by rule, each with what it is (``config.own_places``).
    Raises ``ConfigError`` for a pattern that is none."""

    def __init__(
        self, exclude: Sequence[str] = (), include: Sequence[str] = (), apart: Mapping[bytes, str] = _NOTHING
    ) -> None:
        self._apart = apart
        self._written = (*(f'exclude = "{one}"' for one in exclude), *(f'include = "{one}"' for one in include))
        try:
            self._spec = compiled(exclude, include) if exclude or include else None
            self._include = compiled(include)
        except ValueError as error:
            lines = ", ".join((*exclude, *include))
            raise ConfigError(
                "read the exclude patterns", lines, str(error), "write them as in a .gitignore file"
            ) from error

    def __bool__(self) -> bool:
        """Whether anything can be left out at all."""
        return self._spec is not None or bool(self._apart)

    def excluded(self, path: bytes, is_dir: bool) -> bool:
        """Whether this path is left out, given that no directory above it is."""
        if is_dir and path in self._apart:
            return True
        if self._spec is None:
            return False
        text = os.fsdecode(path)
        return self._spec.match_file(text + "/" if is_dir else text)

    def decided(self, path: bytes, is_dir: bool) -> tuple[bool, str]:
        """Whether this path is left out, and the rule that decided so as it is written; "" where none matches."""
        if is_dir and path in self._apart:
            return True, self._apart[path]
        if self._spec is None:
            return False, ""
        text = os.fsdecode(path)
        result = self._spec.check_file(text + "/" if is_dir else text)
        return bool(result.include), "" if result.index is None else self._written[result.index]

    def included(self, directory: bytes) -> bool:
        """Whether a directory that is left out by itself, without a rule, is asked for by name."""
        return self._include.match_file(os.fsdecode(directory) + "/")
