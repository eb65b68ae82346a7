"""Rows of a commit together must be a tree, whatever their order, at a cost that their depth does not multiply."""

from __future__ import annotations

import stat

import pytest

from agent.core.errors import TryAgain, WireError
from agent.core.ids import ROOT, ChunkNumber, CommitNumber, ObjectId
from agent.core.rows import ChunkRow, NameRow, ObjectRow, chunk_key, encode_object, object_key
from agent.stream.receiving.structure import Structure
from fakes.idle import goes_on

NUMBER = CommitNumber(1)


class Staged:
    """Directories, each with one name, as they stand after everything was staged; counts how often names are asked for."""

    def __init__(self, above: dict[ObjectId, ObjectId]) -> None:
        self.above = above
        self.asked = 0

    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None:
        return encode_object(ObjectRow(id, stat.S_IFDIR | 0o755, 0, 0, 0)) if id == ROOT or id in self.above else None

    def some_names(self, id: ObjectId, most: int, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        self.asked += 1
        return [(self.above[id], b"d%d" % id)] if id in self.above else []

    def child(self, parent: ObjectId, name: bytes, at: CommitNumber | None = None) -> ObjectId | None:
        id = ObjectId(int(name[1:]))
        return id if self.above.get(id) == parent else None

    def has_children(self, parent: ObjectId, at: CommitNumber | None = None) -> bool:
        return parent in self.above.values()

    def names(self) -> list[NameRow]:
        """The row of every name."""
        return [NameRow(parent, b"d%d" % id, id) for id, parent in self.above.items()]


def chain(first: int, levels: int, top: int) -> dict[ObjectId, ObjectId]:
    """Directories ``first`` and on, each in the one before, the first of them in ``top``."""
    return {ObjectId(first + level): ObjectId(first + level - 1 if level else top) for level in range(levels)}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_deep_chain_is_followed_up_once(backwards: bool) -> None:
    """A tree of 2,000 levels in one batch fits, in either order, with a few questions for each level."""
    staged = Staged(chain(ROOT + 1, 2000, ROOT))
    structure = Structure(staged, True, goes_on)
    rows = staged.names()

    structure.look(NUMBER, rows[::-1] if backwards else rows, ())
    structure.settle()

    assert staged.asked <= 3 * 2000


class ManyNames(Staged):
    """One directory under very many names; counts how many of them are told."""

    def __init__(self, count: int) -> None:
        super().__init__({ObjectId(ROOT + 1): ROOT})
        self.rows = [NameRow(ROOT, b"d%d" % number, ObjectId(ROOT + 1)) for number in range(count)]
        self.told = 0

    def some_names(self, id: ObjectId, most: int, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        found = [(row.parent, row.name) for row in self.rows[:most] if row.object == id]
        self.told += len(found)
        return found


def test_many_names_of_one_directory_are_refused_at_once() -> None:
    """The work grows with their number and not with its square, and is interrupted when the call ends."""
    staged = ManyNames(2000)
    looks: list[None] = []
    structure = Structure(staged, True, lambda: looks.append(None))
    structure.look(NUMBER, staged.rows, ())
    with pytest.raises(WireError, match="does not fit into the tree"):
        structure.settle()
    assert (True, True) == (staged.told <= 3 * 2000, len(looks) >= 2000)


def test_a_circle_does_not_fit() -> None:
    """Directories below themselves are refused, also when others in the batch hang where they should."""
    above = chain(ROOT + 1, 5, ROOT)
    above |= {ObjectId(50): ObjectId(52), ObjectId(51): ObjectId(50), ObjectId(52): ObjectId(51)}
    staged = Staged(above)
    structure = Structure(staged, True, goes_on)

    structure.look(NUMBER, staged.names(), ())
    with pytest.raises(WireError, match="does not fit into the tree"):
        structure.settle()


def test_what_was_seen_is_not_believed_of_a_later_state() -> None:
    """A directory that hung below the root before the next batch was staged is looked at anew."""
    staged = Staged(chain(ROOT + 1, 5, ROOT))
    structure = Structure(staged, True, goes_on)
    structure.look(NUMBER, staged.names(), ())

    first, last = ObjectId(ROOT + 1), ObjectId(ROOT + 5)
    staged.above[first] = last
    structure.look(NUMBER, [NameRow(last, b"d%d" % first, first)], ())

    with pytest.raises(WireError, match="does not fit into the tree"):
        structure.settle()


def test_settling_ends_when_the_call_does() -> None:
    """Millions of rows may wait to be looked at again."""
    staged = Staged(chain(ROOT + 1, 5, ROOT))
    ended: list[None] = []

    def look() -> None:
        if ended:
            raise TryAgain("serve a call", "alpha", "the node stops")

    structure = Structure(staged, True, look)
    structure.look(NUMBER, [], [object_key(ObjectId(99))])
    structure.look(NUMBER, [NameRow(ObjectId(98), b"x", ObjectId(97))], ())
    ended.append(None)
    with pytest.raises(TryAgain):
        structure.settle()


def test_a_tree_has_no_chunks_of_a_device() -> None:
    """A chunk's row is refused before it is staged, and so is its key."""
    structure = Structure(Staged({}), True, goes_on)
    with pytest.raises(WireError, match="in a tree"):
        structure.check_types([ChunkRow(ChunkNumber(1), 512, bytes(32))])
    with pytest.raises(WireError, match="in a tree"):
        structure.look(NUMBER, (), [chunk_key(1)])


def test_nothing_is_remembered_of_rows_that_ended_all_at_once() -> None:
    """A directory of before a new beginning is none for the names that come after it."""
    staged = Staged({ObjectId(7): ROOT, ObjectId(9): ObjectId(7)})
    structure = Structure(staged, True, goes_on)
    structure.check_types([ObjectRow(ObjectId(7), stat.S_IFDIR, 0, 0, 0)])
    del staged.above[ObjectId(7)]
    structure.begun_anew()
    structure.look(NUMBER, [NameRow(ObjectId(7), b"d9", ObjectId(9))], ())
    with pytest.raises(WireError, match="does not fit"):
        structure.settle()
