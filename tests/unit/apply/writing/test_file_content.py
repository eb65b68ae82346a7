"""One file's content: written, compared, mended, patched."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.ports import ReadChunk, no_patch
from agent.apply.results import ChunkLost
from agent.apply.writing import file_content
from agent.chunking.difference import Differences
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from fakes.apply_fakes import PAGE, Bytes, Tree
from fakes.loop_image import can_mount, filesystem


def _difference(fd: int, row: ObjectRow, read: ReadChunk, look: file_content.Look) -> str:
    """What a comparison comes to."""
    return next((what for what in file_content.comparing(fd, row, read, look) if what), "")


@pytest.fixture
def fd(tmpfs_dir: Path) -> Iterator[int]:
    """An empty file."""
    opened = os.open(tmpfs_dir / "file", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


def unended() -> None:
    """Nobody ends what takes long."""


def _row(store: Bytes, *runs: bytes | int) -> ObjectRow:
    size, listed = Tree(store).content(*runs)
    return ObjectRow(ObjectId(9), stat.S_IFREG | 0o644, 0, 0, 1, size=size, content=listed)


def _runs(rng: random.Random) -> list[bytes | int]:
    pages = [rng.choice((b"a", b"b", b"c", None)) for _ in range(rng.randint(0, 8))]
    runs: list[bytes | int] = []
    for page in pages:
        if page is not None:
            runs.append(page * PAGE)
        elif runs and isinstance(runs[-1], int):
            runs[-1] += PAGE
        else:
            runs.append(PAGE)
    return [*runs, b"tail"] if rng.random() < 0.5 else runs


@pytest.mark.parametrize("runs", [(), (b"x",), (b"a" * PAGE, 3 * PAGE, b"b"), (4 * PAGE,), (b"a" * PAGE, PAGE)])
def test_new_content_is_as_wanted(fd: int, runs: tuple[bytes | int, ...]) -> None:
    """Empty, one chunk, holes in the middle, everywhere, at the end."""
    store = Bytes()
    row = _row(store, *runs)
    file_content.write_new(fd, row, store.read)
    assert "" == _difference(fd, row, store.read, unended)
    assert b"".join(bytes(run) if isinstance(run, int) else run for run in runs) == os.pread(fd, 1 << 20, 0)


def _patch(fd: int, old: ObjectRow, new: ObjectRow, store: Bytes) -> int:
    differences = Differences(old.content, new.content, store.read)
    return file_content.patch(fd, differences, new.size, store.read, no_patch)


def test_any_content_becomes_any_other(tmpfs_dir: Path, rng: random.Random) -> None:
    """Mending believes nothing, patching believes the old row; both end in the wanted bytes and holes."""
    store = Bytes()
    for number in range(60):
        old, new = _row(store, *_runs(rng)), _row(store, *_runs(rng))
        for way in ("mend", "patch"):
            fd = os.open(tmpfs_dir / f"{number}{way}", os.O_RDWR | os.O_CREAT)
            file_content.write_new(fd, old, store.read)
            if way == "mend":
                file_content.mend(fd, new, store.read, unended)
            else:
                _patch(fd, old, new, store)
            assert "" == _difference(fd, new, store.read, unended)
            os.close(fd)


def test_the_difference_has_a_name(fd: int) -> None:
    """Size, bytes, or only the layout of holes."""
    store = Bytes()
    row = _row(store, b"a" * PAGE, 2 * PAGE, b"b" * PAGE)
    file_content.write_new(fd, row, store.read)
    os.pwrite(fd, bytes(PAGE), PAGE)
    assert "holes" == _difference(fd, row, store.read, unended)
    os.pwrite(fd, b"!", PAGE)
    assert "content" == _difference(fd, row, store.read, unended)
    os.ftruncate(fd, 1)
    assert "size" == _difference(fd, row, store.read, unended)


def test_patching_reads_only_what_differs(fd: int) -> None:
    """An unchanged chunk costs no read and no write."""
    store = Bytes()
    old, new = _row(store, b"a" * PAGE, b"b" * PAGE), _row(store, b"a" * PAGE, b"c" * PAGE)
    file_content.write_new(fd, old, store.read)
    store.reads = 0
    assert PAGE == _patch(fd, old, new, store)
    assert 2 == store.reads


def test_a_chunk_of_another_length_is_not_believed(fd: int) -> None:
    """The row says one length, the vault gives another."""
    store = Bytes()
    row = _row(store, b"abc")
    store.stored[store.keep(b"abc")] = b"abcd"
    with pytest.raises(ChunkLost):
        file_content.write_new(fd, row, store.read)


def test_a_lost_chunk_leaves_a_file_as_it_was_when_patched(fd: int) -> None:
    """It is read before anything is changed."""
    store = Bytes()
    old, new = _row(store, b"a" * PAGE, b"b" * PAGE), _row(store, b"x" * PAGE, b"y" * PAGE)
    file_content.write_new(fd, old, store.read)
    del store.stored[store.keep(b"y" * PAGE)]
    with pytest.raises(Exception, match="not there"):
        _patch(fd, old, new, store)
    assert "" == _difference(fd, old, store.read, unended)


def test_a_layout_that_costs_no_room_is_no_difference(fd: int) -> None:
    """A hole where zeros are wanted reads the same; it is written all the same when the file is mended."""
    store = Bytes()
    row = _row(store, b"a" * PAGE, bytes(2 * PAGE), b"b" * PAGE)
    file_content.write_new(fd, _row(store, b"a" * PAGE, 2 * PAGE, b"b" * PAGE), store.read)
    assert ("", False) == (
        _difference(fd, row, store.read, unended),
        file_content.is_same(fd, row, store.read, unended),
    )
    file_content.mend(fd, row, store.read, unended)
    assert file_content.is_same(fd, row, store.read, unended)


def _fills_a_hole_for_zeros_elsewhere(fd: int) -> None:
    """Zeros stand where a hole is wanted, and a hole where zeros are: told only once it takes more room than what is wanted."""
    store = Bytes()
    row = _row(store, bytes(2 * PAGE), 2 * PAGE, b"b" * PAGE)
    os.ftruncate(fd, row.size)
    os.pwrite(fd, b"b" * PAGE, 4 * PAGE)
    os.pwrite(fd, bytes(2 * PAGE), 2 * PAGE)
    os.fsync(fd)
    assert "" == _difference(fd, row, store.read, unended)
    os.pwrite(fd, bytes(PAGE), 0)
    os.fsync(fd)
    assert "holes" == _difference(fd, row, store.read, unended)


def test_a_hole_that_is_filled_is_told_where_it_takes_room(fd: int) -> None:
    """On tmpfs, which keeps what is written page by page."""
    _fills_a_hole_for_zeros_elsewhere(fd)


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs loop devices")
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_on_disk_a_hole_that_is_filled_is_told_where_it_takes_room(kind: str, tmp_path: Path) -> None:
    """By the blocks that the file has there."""
    with filesystem(kind, tmp_path) as where:
        opened = os.open(where / "file", os.O_RDWR | os.O_CREAT)
        try:
            _fills_a_hole_for_zeros_elsewhere(opened)
        finally:
            os.close(opened)


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs loop devices")
def test_on_xfs_what_was_read_is_no_data(tmp_path: Path) -> None:
    """Cached pages over an extent that was allocated and never written count as data there."""
    store = Bytes()
    with filesystem("xfs", tmp_path) as where:
        opened = os.open(where / "file", os.O_RDWR | os.O_CREAT)
        try:
            row = _row(store, b"a" * PAGE, 30 * PAGE, b"b" * PAGE)
            os.posix_fallocate(opened, 0, row.size)
            os.pwrite(opened, b"a" * PAGE, 0)
            os.pwrite(opened, b"b" * PAGE, 31 * PAGE)
            os.fsync(opened)
            os.pread(opened, row.size, 0)
            assert "" == _difference(opened, row, store.read, unended)
        finally:
            os.close(opened)
