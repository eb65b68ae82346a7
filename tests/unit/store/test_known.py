"""Which chunk names were captured before: never one too few, few too many, and bounded whatever comes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.store.known import KnownNames


def names(count: int) -> list[bytes]:
    """Of as many chunks."""
    return [os.urandom(32) for _ in range(count)]


def test_what_was_learned_is_known_and_hardly_anything_else(tmp_path: Path) -> None:
    """A hundred thousand names take two bits of a hundred: 200 of these ten thousand others, give or take 15."""
    known, learned, others = KnownNames(str(tmp_path / "known"), anew=True), names(100_000), names(10_000)
    known.learn(learned)
    assert (set(learned), set()) == (known.among(learned), known.among([]))
    assert len(known.among(others)) < 300
    known.close()
    assert 4 << 20 == (tmp_path / "known").stat().st_size - 16


@pytest.mark.parametrize(("count", "size"), [(0, 1 << 16), (4_000, 1 << 16), (5_000, 1 << 18), (60_000, 1 << 20)])
def test_it_takes_what_the_names_take(tmp_path: Path, count: int, size: int) -> None:
    """At a first close and after restarts between; what was learned before it grew is known afterwards."""
    path, learned = str(tmp_path / "known"), names(count)
    for first in range(0, max(count, 1), 2_000):
        known = KnownNames(path, anew=True)
        known.learn(learned[first : first + 2_000])
        known.close()
    assert (set(learned), size + 16) == (KnownNames(path, anew=False).among(learned), os.stat(path).st_size)


def test_it_outlives_the_process(tmp_path: Path) -> None:
    """What was learned since it was written last is written when it is closed."""
    path, learned = str(tmp_path / "known"), names(100)
    first = KnownNames(path, anew=True)
    first.learn(learned)
    first.close()
    assert set(learned) == KnownNames(path, anew=False).among(learned)


@pytest.mark.parametrize("left", [None, b"", b"hikn\0\0\0\1torn", bytes(16 + (4 << 20))])
def test_where_it_is_lost_everything_may_be_known(tmp_path: Path, left: bytes | None) -> None:
    """Gone, torn or another file: peers are asked."""
    path, asked = tmp_path / "known", names(10)
    if left is not None:
        path.write_bytes(left)
    assert set(asked) == KnownNames(str(path), anew=False).among(asked)


def test_a_primary_that_captured_nothing_yet_knows_nothing_after_a_restart(tmp_path: Path) -> None:
    """That it began is on the disk, so nothing was lost."""
    path = str(tmp_path / "known")
    KnownNames(path, anew=True).begin()
    assert set() == KnownNames(path, anew=False).among(names(10))


def test_a_disk_without_room_is_no_trouble(tmp_path: Path) -> None:
    """Where it cannot be written, nothing fails."""
    known, learned = KnownNames(str(tmp_path / "gone" / "known"), anew=True), names(10)
    known.learn(learned)
    known.close()
    assert set(learned) == known.among(learned)
