"""A file with many names on the standby: its names are asked for a few times, not once at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.core.ids import ROOT, CommitNumber, ObjectId
from fakes.apply_fakes import Rig, Tree, rig

NAMES = 500


class Counting:
    """A reader that counts how often an object's names are asked for."""

    def __init__(self, reader: Any, asked: list[ObjectId]) -> None:
        self._reader = reader
        self._asked = asked

    def names_of(self, id: ObjectId, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        self._asked.append(id)
        found: list[tuple[ObjectId, bytes]] = self._reader.names_of(id, at)
        return found

    def __getattr__(self, name: str) -> Any:  # Any: whatever a reader has
        return getattr(self._reader, name)


def applier(it: Rig, asked: list[ObjectId]) -> Applier:
    """One whose reader counts."""
    opened: Callable[[], Any] = lambda: Counting(it.catalog.reader(), asked)  # noqa: E731
    return it.applier(reader=opened)


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


def test_links_and_verify_ask_a_few_times(it: Rig) -> None:
    """More names in a later commit, and the comparison of them all, deep: read once."""
    tree = Tree.empty(it.store)
    file = tree.file(ROOT, b"seed", b"s" * 1000)
    below = tree.directory(ROOT, b"l")
    asked: list[ObjectId] = []
    one = applier(it, asked)
    one.converge(it.commit(tree), silent)
    for number in range(NAMES):
        tree.link(below, b"%d" % number, file)
    one.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
    assert asked.count(file) < 20
    asked.clear()
    reads = it.store.reads
    found = one.verify(deep=True)
    assert (True, True, True) == (found.equal, asked.count(file) < 20, it.store.reads - reads < 20)
