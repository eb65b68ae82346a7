"""Where chunks stand in an adopted tree, and which of them are relied on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adopt.placements import ChunkPlace, KnownFile, Placements

A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


def a_file(number: int, size: int = 30) -> KnownFile:
    """A file with its own handle."""
    return KnownFile(b"file%d" % number, b"handle%d" % number, number, size, 1, 2, b"content")


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Placements]:
    one = Placements.open(str(tmp_path / "standby.db"))
    one.add([(a_file(1), [(A, 0, 10), (B, 10, 20)]), (a_file(2), [(C, 0, 30), (A, 30, 10)])])
    yield one
    one.close()


def again(places: Placements) -> Placements:
    """As it is after a crash: nothing that was only in memory."""
    places.close()
    return Placements.open(places.path)


def test_a_chunk_stands_where_it_was_found_first(places: Placements) -> None:
    """Twice in the tree is once in the list."""
    assert ChunkPlace(A, 1, 0, 10) == places.place(A)
    assert ChunkPlace(C, 2, 0, 30) == places.place(C)
    assert None is places.place(b"x" * 32)
    assert (2, 60) == places.files


def test_what_is_asked_for_is_relied_on_durably_after_a_sync(places: Placements) -> None:
    """Before the sync it counts too, but only until a crash."""
    assert {A, C} == places.rely([A, C, b"x" * 32])
    assert (0, 0) == places.left
    places.sync()
    assert (2, 40) == places.left
    places.rely([B])
    reopened = again(places)
    assert ((2, 40), [A, C]) == (reopened.left, [one.name for one in reopened.due((-1, -1), 10)])
    reopened.close()


def test_due_goes_on_behind_a_place(places: Placements) -> None:
    """In the order of files, and of bytes in them."""
    places.rely([A, B, C])
    places.sync()
    assert [B, C] == [one.name for one in places.due((1, 0), 10)]
    assert [B] == [one.name for one in places.due((1, 0), 1)]
    assert [] == places.due((2, 0), 10)


def test_a_file_that_will_change_gives_what_is_relied_on_and_forgets_the_rest(places: Placements) -> None:
    """Marks that wait in memory count; nobody can come to rely on the rest any more."""
    places.rely([B])
    assert [ChunkPlace(B, 1, 10, 20)] == places.take(1)
    assert set() == places.rely([A])
    assert {B} == places.rely([B])
    places.drop([B])
    assert set() == places.rely([B])


def test_dropping_counts_down(places: Placements) -> None:
    """Only what was relied on was counted."""
    places.rely([A, B])
    places.sync()
    places.drop([A, C])
    assert (1, 20) == places.left


def test_the_rest_is_forgotten_only_when_nothing_is_relied_on(places: Placements) -> None:
    """A mark in memory keeps it all; afterwards nothing stands there."""
    places.rely([A])
    assert not places.forget_rest()
    places.drop([A])
    assert places.forget_rest()
    assert set() == places.rely([A, B, C])


def test_a_file_that_is_read_again_leaves_no_places_of_its_old_content(places: Placements) -> None:
    """What was relied on stays to be found out as lost; the rest is not there any more."""
    places.rely([A])
    places.sync()
    places.add([(a_file(1, 5), [(b"d" * 32, 0, 5)])])
    assert (None, True) == (places.place(B), places.place(A) is not None)
    found = places.by_handle(b"handle1")
    assert found is not None
    assert 5 == found[1].size


def test_that_all_was_walked_outlives_a_crash(places: Placements) -> None:
    """And is not so before."""
    assert not places.indexed
    places.set_indexed()
    reopened = again(places)
    assert reopened.indexed
    reopened.close()
