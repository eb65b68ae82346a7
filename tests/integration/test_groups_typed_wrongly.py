"""What is typed of a group that makes no sense, on the wrong node, or of a moment that is none: refused with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.agents import Fleet, Shared, running

TO = "--to nowhere"
LATEST = "--group shop --generation latest"
#: What is typed on which node, the exit code, and words of the sentence.
WRONG = [
    ("alpha", "generations take --group shop --pin", 3, "on beta: hikae generations take --group shop"),
    ("beta", "generations take --group nix", 4, "this node knows: shop"),
    ("beta", "generations take", 2, "one of DATASET and --group G is needed"),
    ("beta", "generations take a --group shop", 2, "one of DATASET and --group G is needed"),
    ("beta", "generations take --group shop --offline", 2, "leave --offline out, or name one dataset"),
    ("beta", "generations take --group shop --label 2026-01-01", 2, "cannot take a generation"),
    # Whatever follows these trees, or holds them: they lie in memory, which cannot be frozen.
    ("beta", "generations take --group shop", 3, "cannot take a generation of the group (shop): "),
    ("beta", f"restore {LATEST} {TO}", 4, "hikae generations take --group shop takes one"),
    ("beta", f"restore --group nix --generation latest {TO}", 4, "this node knows: shop"),
    ("beta", f"restore a {LATEST} {TO}", 2, "one of DATASET and --group G is needed"),
    ("beta", f"restore --group shop {TO}", 2, "one of --generation and --at is needed"),
    ("beta", f"restore {LATEST} --in-place", 2, "hikae rollback DATASET --generation G"),
    ("beta", f"restore {LATEST} {TO} --changed-since 02:00", 2, "name one dataset"),
    ("beta", f"restore --group shop --at yesterday {TO}", 4, "no generation of all its datasets"),
    ("alpha", f"restore {LATEST} {TO}", 3, "type it on beta, or here with --from beta"),
    ("alpha", f"restore {LATEST} {TO} --from beta", 4, "hikae generations take --group shop takes one"),
    ("beta", "promote --group shop --generation latest --force --yes", 4, "no generation of all its datasets"),
    ("beta", "promote --group nix --generation latest --force --yes", 4, "cannot find the group (nix)"),
]


def two_trees(base: Path) -> Fleet:
    """``a`` and ``b`` in the group ``shop``."""

    class Grouped(Shared):
        """A dataset of the group."""

        def config(self, extra: str = "") -> str:
            """See ``Shared``."""
            return super().config(f'group = "shop"\n{extra}')

    trees = [
        Grouped(name, "alpha", ("beta",), {"alpha": base / f"{name}.source", "beta": base / f"{name}.copy"})
        for name in ("a", "b")
    ]
    return Fleet(base, ("alpha", "beta"), trees)


@pytest.fixture(scope="module")
def both() -> Iterator[Fleet]:
    """A pair that nothing is changed of."""
    with running(two_trees) as agents:
        agents.begin()
        yield agents
        assert [] == agents["beta"].json("generations", "list", "a")


@pytest.mark.parametrize(("node", "typed", "code", "words"), WRONG)
def test_refused_with_what_to_type(both: Fleet, node: str, typed: str, code: int, words: str) -> None:
    """The code, one sentence, no traceback; nothing is kept and nothing is made."""
    done = both[node].run(*typed.split())
    assert (code, True) == (done.returncode, words in done.stderr), done.stderr
    assert (False, False) == ("Traceback" in done.stderr, Path("nowhere").exists())
