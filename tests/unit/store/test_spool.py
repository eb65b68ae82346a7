"""The spool of a slow peer: bounds, bytes, an end that leaves nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.chunks import DATA, PIECE, name_of, name_of_list
from agent.core.errors import HikaeError
from agent.store.spool import Spool, SpoolChunk


def chunk(number: int, size: int = 1000) -> SpoolChunk:
    """A chunk of so many bytes."""
    data = b"%08d" % number * (size // 8)
    return name_of(data), DATA, data


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """One for ten chunks of 1000 bytes."""
    one = Spool.open(str(tmp_path), limit=10_000, most=20)
    yield one
    one.close()


def test_what_was_added_comes_back(spool: Spool) -> None:
    """Chunks and pieces of chunk lists, in any order, as often as wanted."""
    some = [chunk(1), chunk(2, 16), (name_of_list(b"list"), PIECE, b"list")]
    assert spool.add(some)
    assert [some[2][2], some[0][2], some[1][2], some[0][2]] == [spool.get(some[at][0]) for at in (2, 0, 1, 0)]
    assert (3, 1020, True) == (len(spool), spool.size, some[0][0] in spool)


def test_nothing_is_kept_twice(spool: Spool) -> None:
    """The same name takes room once, and what is empty none."""
    spool.add([chunk(1)])
    spool.add([chunk(1), (name_of(b""), DATA, b"")])
    assert (1, 1000) == (len(spool), spool.size)


def test_what_is_not_there(spool: Spool) -> None:
    """An unknown name is nothing."""
    assert spool.get(chunk(1)[0]) is None


def test_it_is_full_for_good(spool: Spool) -> None:
    """What fits before the bound stays; then nothing more, however small."""
    assert not spool.add([chunk(number) for number in range(15)])
    assert (True, 10, 10_000) == (spool.full, len(spool), spool.size)
    assert not spool.add([chunk(99, 8)])
    assert spool.get(chunk(9)[0]) == chunk(9)[2]


def test_small_chunks_are_bounded_by_their_number(spool: Spool) -> None:
    """Each costs memory, whatever its size."""
    assert not spool.add([chunk(number, 8) for number in range(30)])
    assert (20, 160) == (len(spool), spool.size)


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """It has no name, so a kill leaves nothing; after its end adding and reading do nothing."""
    one = Spool.open(str(tmp_path))
    one.add([chunk(1)])
    assert [] == os.listdir(tmp_path)
    one.close()
    one.close()
    assert (True, None, False) == (one.add([chunk(2)]), one.get(chunk(1)[0]), chunk(1)[0] in one)


def test_it_takes_a_quarter_of_what_is_free(tmp_path: Path) -> None:
    """However much it is allowed."""
    stat = os.statvfs(tmp_path)
    one = Spool.open(str(tmp_path), limit=1 << 60)
    assert stat.f_blocks * stat.f_frsize // 4 >= one.limit
    one.close()


def test_more_than_one_call_can_write(tmp_path: Path) -> None:
    """Runs of many chunks are cut; all are there."""
    one = Spool.open(str(tmp_path))
    assert one.add(chunk(number, 16) for number in range(3000))
    assert [] == [number for number in range(3000) if one.get(chunk(number, 16)[0]) != chunk(number, 16)[2]]
    one.close()


def test_two_threads(tmp_path: Path) -> None:
    """Capture and the sender add at the same time, some of it the same."""
    one = Spool.open(str(tmp_path))
    threads = [
        threading.Thread(target=lambda first=first: [one.add([chunk(first + n, 16)]) for n in range(500)])
        for first in (0, 250)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (750, 750 * 16) == (len(one), one.size)
    assert [] == [n for n in range(750) if one.get(chunk(n, 16)[0]) != chunk(n, 16)[2]]
    one.close()


def test_no_place_for_it(tmp_path: Path) -> None:
    """A directory that is not there is told as such."""
    with pytest.raises(HikaeError, match="spool for a slow peer"):
        Spool.open(str(tmp_path / "gone"))
