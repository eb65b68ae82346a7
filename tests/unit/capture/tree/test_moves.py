"""Directories that left their names: what a hint may have meant, and what a walk still owes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.capture.tree import moves
from agent.capture.tree.moves import Leaving, Moved, followed
from agent.core.ids import ROOT, ObjectId


class Names:
    """A batch of nothing but directories: each with one name."""

    def __init__(self) -> None:
        self.names: dict[ObjectId, tuple[ObjectId, bytes]] = {}

    def child(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        """What stands there."""
        return next((id for id, place in self.names.items() if place == (parent, name)), None)

    def is_directory(self, id: ObjectId) -> bool:
        """All are."""
        return id == ROOT or id in self.names

    def way_to(self, id: ObjectId) -> Iterator[ObjectId]:
        """Up to the root."""
        while id != ROOT:
            yield id
            id = self.names[id][0]
        yield ROOT


TOP, INNER, ONE, OTHER = (ObjectId(number) for number in range(100, 104))


@pytest.fixture
def names() -> Names:
    """``top/inner/one`` and ``other``."""
    made = Names()
    made.names = {TOP: (ROOT, b"top"), INNER: (TOP, b"inner"), ONE: (INNER, b"one"), OTHER: (ROOT, b"other")}
    return made


def move(names: Names, it: Moved, id: ObjectId, to: ObjectId) -> None:
    """Rename a directory, as a looker does."""
    it.leaves(*names.names[id])
    names.names[id] = (to, names.names[id][1])


def test_what_left_is_meant_by_its_old_name(names: Names) -> None:
    """And what was below it by the old path."""
    it = Moved(names)
    move(names, it, INNER, OTHER)
    assert [ONE] == it.meant([b"top", b"inner", b"one"])


def test_what_stood_below(names: Names) -> None:
    """Whether it left straight away, or with, before, or after what it stood in."""
    it = Moved(names)
    assert set() == it.out_of(TOP)
    move(names, it, INNER, OTHER)
    move(names, it, ONE, ROOT)
    assert {INNER, ONE} == it.out_of(TOP)
    assert {ONE} == it.out_of(INNER)
    # It did before it stood there, too: what is gone over once too often does no harm.
    assert {ONE} == it.out_of(OTHER)


def test_the_order_counts() -> None:
    """What left a directory before that stood below, did not stand below."""
    into, out = Leaving(ONE, frozenset((INNER, ROOT)), 1), Leaving(INNER, frozenset((TOP, ROOT)), 2)
    assert {TOP, INNER} == followed({TOP}, [into, out])
    assert {TOP, INNER, ONE} == followed({TOP}, [out, into])


def test_only_so_many_looks_are_remembered(names: Names) -> None:
    """What left longer ago than that is meant no more."""
    it = Moved(names)
    move(names, it, ONE, OTHER)
    it.serial = moves._REMEMBERED
    assert {ONE} == it.out_of(TOP)
    it.serial += 1
    assert set() == it.out_of(TOP)


def test_only_so_much_of_what_lay_above_is_remembered(names: Names) -> None:
    """In all: the oldest goes first."""
    it = Moved(names, most_above=5)
    move(names, it, INNER, OTHER)
    move(names, it, ONE, INNER)
    move(names, it, ONE, TOP)
    assert set() == it.out_of(TOP)
    assert {ONE} == it.out_of(INNER)
