"""Segments, holes, exact reads and writes."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fs import _libc, content
from agent.fs.content import Segment, pwrite_all, read_exact, segments

BLOCK = 64 * 1024


@pytest.fixture(params=["ext4", "tmpfs"])
def fd(request: pytest.FixtureRequest, tmp_path: Path, tmpfs_dir: Path) -> Iterator[int]:
    """An open empty file."""
    path = (tmp_path if request.param == "ext4" else tmpfs_dir) / "file"
    opened = os.open(path, os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def _build(fd: int, layout: list[bool]) -> int:
    """Blocks of data (True) and holes; the size."""
    os.ftruncate(fd, 0)
    os.ftruncate(fd, len(layout) * BLOCK)
    for number, is_data in enumerate(layout):
        if is_data:
            pwrite_all(fd, b"x" * BLOCK, number * BLOCK)
    return len(layout) * BLOCK


def _merged(layout: list[bool]) -> list[Segment]:
    found: list[Segment] = []
    for number, is_data in enumerate(layout):
        if found and found[-1][0] == is_data:
            found[-1] = (is_data, found[-1][1], found[-1][2] + BLOCK)
        else:
            found.append((is_data, number * BLOCK, BLOCK))
    return found


@pytest.mark.parametrize(
    "layout",
    [
        [],
        [True],
        [False],
        [True, False],
        [False, True],
        [True, False, True],
        [False, True, False],
        [True, True, False, False, True, False],
    ],
)
def test_segments(fd: int, layout: list[bool]) -> None:
    """Data and holes come in order and cover the file, with holes at either end or nowhere."""
    size = _build(fd, layout)

    assert _merged(layout) == segments(fd, size)


@given(st.lists(st.booleans(), max_size=12))
def test_segments_of_any_layout(layout: list[bool]) -> None:
    """Any layout comes back as it was written."""
    fd = os.memfd_create("hikae-test")
    try:
        size = _build(fd, layout)
        assert _merged(layout) == segments(fd, size)
    finally:
        os.close(fd)


@pytest.mark.parametrize("left", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_segments_of_a_file_truncated_meanwhile(fd: int, left: int) -> None:
    """A file shorter than its stat said seems to end in a hole; what is returned still covers what was asked."""
    size = _build(fd, [True, False, True, True])
    os.ftruncate(fd, left)

    found = segments(fd, size)

    assert size == sum(length for _, _, length in found)
    assert [at for _, at, _ in found] == [sum(length for _, _, length in found[:i]) for i in range(len(found))]


def test_segments_of_a_file_that_grew(fd: int) -> None:
    """Of a longer file than its stat said only the asked part is told."""
    _build(fd, [True, False, True])

    assert [(True, 0, 100)] == segments(fd, 100)
    assert [(True, 0, BLOCK), (False, BLOCK, 1)] == segments(fd, BLOCK + 1)


def test_segments_without_support() -> None:
    """What cannot tell holes (a pipe cannot even seek) raises or is all data; it is never said to be a hole."""
    reader, writer = os.pipe()
    with pytest.raises(OSError, match=os.strerror(errno.ESPIPE)):
        segments(reader, 10)
    os.close(reader)
    os.close(writer)
    fd = os.open("/proc/self/status", os.O_RDONLY)
    assert [(True, 0, 100)] == segments(fd, 100)
    os.close(fd)


def test_read_exact(fd: int) -> None:
    """All that was asked, or what there is before the end."""
    pwrite_all(fd, b"0123456789", 0)

    assert (b"345", b"89", b"", b"") == (
        read_exact(fd, 3, 3),
        read_exact(fd, 8, 100),
        read_exact(fd, 10, 1),
        read_exact(fd, 0, 0),
    )


def test_short_reads_and_writes_are_continued(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel moves less than asked the rest follows."""
    pread, pwrite = os.pread, os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, bytes(data[:3]), at))
    monkeypatch.setattr(os, "pread", lambda fd, length, at: pread(fd, min(length, 4), at))

    pwrite_all(fd, b"0123456789", 5)

    assert (b"0123456789", b"6789") == (read_exact(fd, 5, 10), read_exact(fd, 11, 100))


@pytest.mark.parametrize("supported", [True, False])
def test_punch(fd: int, supported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A punched range reads as zeros and the size stays, where holes can be made and where they cannot."""
    if not supported:

        def refused(*_: object) -> int:
            ctypes.set_errno(errno.EOPNOTSUPP)
            return -1

        monkeypatch.setattr(_libc, "fallocate", refused)
    size = _build(fd, [True] * 40)

    assert supported == content.punch(fd, BLOCK + 5, 35 * BLOCK)
    content.punch(fd, 39 * BLOCK, 10 * BLOCK)

    assert b"x" * (BLOCK + 5) + bytes(35 * BLOCK) + b"x" * (3 * BLOCK - 5) + bytes(BLOCK) == read_exact(fd, 0, size + 1)
    if supported:
        assert os.fstat(fd).st_blocks * 512 <= 6 * BLOCK


def test_punch_to_the_end_of_a_last_block_that_is_not_full(fd: int) -> None:
    """The rest of the file becomes a hole although its last block is only begun; the size stays."""
    size = 3 * BLOCK + 100
    pwrite_all(fd, b"x" * size, 0)

    content.punch(fd, BLOCK, size - BLOCK)

    assert size == os.fstat(fd).st_size
    assert [(True, 0, BLOCK), (False, BLOCK, size - BLOCK)] == content.segments(fd, size)


def test_punch_of_nothing(fd: int) -> None:
    """An empty range is done already."""
    assert content.punch(fd, 0, 0)


def test_punch_on_a_read_only_descriptor(tmp_path: Path) -> None:
    """An error that is no missing support is raised."""
    path = tmp_path / "file"
    path.write_bytes(b"data")
    fd = os.open(path, os.O_RDONLY)

    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        content.punch(fd, 0, 2)
    os.close(fd)


def test_reflink_where_it_cannot_be(fd: int, tmpfs_dir: Path) -> None:
    """ext4 and tmpfs share no content: False, and the target stays as it is."""
    other = os.open(tmpfs_dir / "other", os.O_RDWR | os.O_CREAT)
    pwrite_all(fd, b"source", 0)
    pwrite_all(other, b"kept", 0)

    done = content.reflink(fd, other)

    assert (done, b"source" if done else b"kept") == (done, read_exact(other, 0, 10))
    os.close(other)
