"""Trees that are deep, and files with names all over them: the work grows as what there is, whatever the depth.

What is counted is what is asked of the catalog and of the filesystem, never time.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from agent.capture.batch import TreeBatch
from agent.capture.directories import Directories
from agent.capture.exclude import Rules
from agent.capture.files.hard_links import Linked
from agent.capture.open_tree import OpenTree
from agent.capture.path_problems import PathProblems
from agent.capture.ports import CaptureContext
from agent.capture.tree.parts import put_together
from agent.capture.tree.trail import Saw
from agent.chunking.stat_trust import Trust
from agent.core.clock import SystemClock
from agent.core.ids import CommitNumber, Epoch, ObjectId
from agent.core.problem import ProblemBoard
from agent.fs.confined import open_root
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import station
from fakes.huge import LEVEL, bushy_chain
from fakes.trees import remove_all

LEVELS = 600


class CountingCatalog(Catalog):
    """Counts the names that all of them tell."""

    told = 0

    def names_of(self, id: ObjectId, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        """Counted."""
        found = super().names_of(id, at)
        CountingCatalog.told += len(found)
        return found


class Deep:
    """The parts of a session on a root that no pump runs."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        state.mkdir()
        self.catalog = Catalog.open(str(state / "catalog.db"))
        self.catalog.begin_epoch(Epoch(1, "alpha", b"t" * 16))
        self.local = Local.open(str(state / "local.db"))
        clock = SystemClock()
        context = CaptureContext("test", self.catalog, self.local, None, ProblemBoard(), clock)
        batch = TreeBatch(self.catalog, self.local)
        directories = Directories(open_root(str(root)), batch)
        tree = OpenTree(batch, directories, PathProblems(context.board, clock, batch.knows), Rules(), clock)
        self.parts = put_together(tree, context, Linked(), lambda *_: None, count(), os)

    def look(self, hint: Hint) -> list[ObjectId]:
        """Look at a hint; the directories that appeared."""
        saw = Saw()

        def steps() -> Iterator[None]:
            nonlocal saw
            saw = yield from self.parts.looker.look(hint)

        for _ in steps():
            pass
        return list(saw.appeared)

    def walked(self, trust: Trust, *directories: ObjectId) -> int:
        """Walk below these; how many entries were gone over."""
        walk = self.parts.walk(trust)
        for directory in directories:
            walk.add(directory)
        for _ in walk.run():
            pass
        return walk.entries

    def close(self) -> None:
        """Close everything."""
        self.parts.tree.directories.close()
        self.catalog.close()
        self.local.close()


@pytest.fixture
def deep(root: Path) -> Iterator[Deep]:
    """One on an empty root that may become deep."""
    made = Deep(root, root.parent / "state")
    try:
        yield made
    finally:
        made.close()
        remove_all(root)


def test_directories_within_one_another_are_gone_over_once(deep: Deep) -> None:
    """A hint far below makes all on its way known: each of them is to be walked, and is, but not below each of the others."""
    bushy_chain(deep.root, LEVELS)
    appeared = deep.look(Hint(b"/".join([LEVEL] * LEVELS), Look.SUBTREE))
    assert LEVELS == len(appeared)
    assert deep.walked(Trust.EQUAL, *appeared) <= 3 * LEVELS


def test_names_that_went_together_are_asked_for_once(root: Path, rng: random.Random) -> None:
    """Of a file with very many names all over a tree half go, then all; what is told of each may be about its content."""
    many = 400
    names = [f"{number % 20}/{number}" for number in range(many)]
    for directory in range(20):
        (root / str(directory)).mkdir()
    (root / "seed").write_bytes(b"content")
    for name in names:
        os.link(root / "seed", root / name)
    (root / "seed").unlink()
    with station(root, root.parent / "state", open_catalog=CountingCatalog.open) as made:
        made.synced()
        rng.shuffle(names)
        for gone in (names[: many // 2], names[many // 2 :]):
            for name in gone:
                (root / name).unlink()
            before = CountingCatalog.told
            made.give(*(Hint(name.encode(), Look.ENTRY) for name in gone))
            assert CountingCatalog.told - before < 20 * many
            assert [] == made.mirror()
