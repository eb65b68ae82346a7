"""Content is written in one place, and what waits to be written out is bounded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.writing.writer import ContentWriter, write_small


@pytest.fixture
def fd(tmpfs_dir: Path) -> Iterator[int]:
    """An empty file."""
    opened = os.open(tmpfs_dir / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def test_it_writes_anywhere_and_counts(fd: int) -> None:
    """Runs, single pieces, holes and the end."""
    writer = ContentWriter(fd)
    assert [5, 3, 0] == [writer.put_run(0, [b"ab", b"cde"]), writer.put(7, b"xyz"), writer.hole(1, 2)]
    writer.end_at(9)
    assert b"a\0\0de\0\0xy" == os.pread(fd, 100, 0)


def test_what_waits_is_synced_at_the_limit(fd: int) -> None:
    """And is counted anew from there."""
    synced: list[int] = []
    writer = ContentWriter(fd, 10, synced.append)
    counts = []
    for at in range(6):
        writer.put(4 * at, b"four")
        counts.append(len(synced))
    assert ([0, 0, 1, 1, 1, 2], [fd, fd]) == (counts, synced)
    writer.put_run(0, [b"x" * 6, b"y" * 6])
    assert 3 == len(synced)


def test_a_sync_that_fails_is_the_writers_error(fd: int) -> None:
    """It is not tried again and not passed over."""

    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        ContentWriter(fd, 1, fails).put(0, b"ab")


def test_a_small_content_is_written_whole(fd: int) -> None:
    """From the beginning of an empty file."""
    write_small(fd, b"content")
    assert b"content" == os.pread(fd, 100, 0)
