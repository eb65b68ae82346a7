"""Records in packs: found again, and the healthy ones found behind the damaged."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import StoreFailed, TryAgain
from agent.store.vault.codec import StoredChunk
from agent.store.vault.pack import (
    BATCH,
    HEADER_SIZE,
    SEARCH_WINDOW,
    PackWriter,
    header_of,
    numbers_in,
    parse_header,
    path_of,
    records,
)
from fakes.store_fakes import chunk, some_chunks


@pytest.fixture
def writer(tmpfs_dir: Path) -> Iterator[PackWriter]:
    """Pack 7, empty."""
    opened = PackWriter.open(str(tmpfs_dir), 7, 0)
    yield opened
    opened.close()


def found(writer: PackWriter, damage: list[str] | None = None, read: int = SEARCH_WINDOW) -> list[bytes]:
    """The names that a scan finds."""
    return [name for name, _ in records(writer.fd, 7, 0, writer.end, [] if damage is None else damage, read=read)]


def test_records_are_found_where_they_were_put(writer: PackWriter) -> None:
    """Names and places of a scan are those of the appends."""
    chunks = some_chunks(20)[0]
    places = writer.append(chunks[:5]) + writer.append(chunks[5:])
    damage: list[str] = []
    scanned = list(records(writer.fd, 7, 0, writer.end, damage))
    assert (list(zip([c.name for c in chunks], places, strict=True)), []) == (scanned, damage)
    assert writer.end == os.fstat(writer.fd).st_size == places[-1].end


def test_a_full_batch_is_one_call(writer: PackWriter) -> None:
    """The kernel takes no longer vector than that."""
    chunks = some_chunks(BATCH, 10)[0]
    writer.append(chunks)
    assert [c.name for c in chunks] == found(writer)


def test_a_record_larger_than_the_scan_window(writer: PackWriter) -> None:
    """Big chunks are stepped over, not read."""
    chunks = [chunk(os.urandom(1 << 20)), chunk(b"small"), chunk(os.urandom(1 << 20))]
    writer.append(chunks)
    assert [c.name for c in chunks] == found(writer)


def test_a_damaged_header_costs_its_record_only(writer: PackWriter, rng: random.Random) -> None:
    """Whatever byte of a header changes, the other records are found and the damage is told."""
    chunks = some_chunks(9)[0]
    places = writer.append(chunks)
    victim = rng.randrange(len(chunks))
    _flip(writer, places[victim].offset + rng.randrange(HEADER_SIZE))
    damage: list[str] = []
    assert [c.name for i, c in enumerate(chunks) if i != victim] == found(writer, damage)
    assert [f"pack 7: bytes {places[victim].offset} to {places[victim].end} are no records"] == damage


def test_damage_at_the_borders_of_the_search_window(writer: PackWriter) -> None:
    """A header that lies across two windows is found too."""
    chunks = [chunk(b"first"), chunk(os.urandom(5000)), chunk(b"last")]
    places = writer.append(chunks)
    _flip(writer, places[1].offset)
    for window in range(HEADER_SIZE, HEADER_SIZE * 3):
        assert [chunks[0].name, chunks[2].name] == found(writer, read=window)


def test_a_magic_inside_content_is_no_record(writer: PackWriter) -> None:
    """Content that looks like a header fools nobody unless its check is right and it fits."""
    tricky = chunk(b"hkR1" * 50)
    places = writer.append([tricky, chunk(b"after")])
    _flip(writer, places[0].offset)
    assert [chunk(b"after").name] == found(writer)


def test_a_stored_length_beyond_the_limit_is_no_header() -> None:
    """No chunk is that long."""
    wrong = header_of(StoredChunk(b"n" * 32, 0, 0, 5, b"x" * ((1 << 20) + 1)))
    assert parse_header(wrong, 0, 0) is None


def test_opening_cuts_what_lies_behind(tmpfs_dir: Path) -> None:
    """The end that is given is the end."""
    Path(path_of(str(tmpfs_dir), 3)).write_bytes(b"x" * 100)
    PackWriter.open(str(tmpfs_dir), 3, 40).close()
    assert ([3], 40) == (numbers_in(str(tmpfs_dir)), os.stat(path_of(str(tmpfs_dir), 3)).st_size)


def test_other_files_are_no_packs(tmpfs_dir: Path) -> None:
    """Only eight digits and the ending."""
    for name in ("00000012.pack", "12.pack", "00000013.pack.tmp", "0000001x.pack"):
        (tmpfs_dir / name).touch()
    assert [12] == numbers_in(str(tmpfs_dir))


def test_a_short_write_is_gone_on_with(writer: PackWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take less than it was given."""
    whole = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, vector, at: whole(fd, [b"".join(vector)[:70]], at))
    chunks = some_chunks(3)[0]
    writer.append(chunks)
    assert [c.name for c in chunks] == found(writer)


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, TryAgain), (errno.EDQUOT, TryAgain), (errno.EIO, StoreFailed)]
)
def test_a_failed_write_leaves_no_half_record(
    writer: PackWriter, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """What was written of it is cut, and the next append stands in its place."""
    first, second = some_chunks(1)[0], some_chunks(1)[0]
    writer.append(first)

    def fails(fd: int, data: object, at: int) -> int:
        raise OSError(number, os.strerror(number))

    whole = os.pwritev
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwritev", lambda fd, vector, at: whole(fd, [b"".join(vector)[:70]], at))
        patched.setattr(os, "pwrite", fails)
        with pytest.raises(expected):
            writer.append(second)
    assert writer.end == os.fstat(writer.fd).st_size
    writer.append(second)
    assert [first[0].name, second[0].name] == found(writer)


def _flip(writer: PackWriter, at: int) -> None:
    os.pwrite(writer.fd, bytes([os.pread(writer.fd, 1, at)[0] ^ 0x40]), at)


def test_little_goes_where_blocks_were_written_before(writer: PackWriter) -> None:
    """Before a sync zeros stand behind the end, once for many small appends, and are no records."""
    sizes, written = [], []
    for one in some_chunks(5, 100)[0]:
        synced = writer.end
        writer.append([one])
        writer.prepare(synced)
        sizes.append(os.fstat(writer.fd).st_size)
        written.append(one.name)
    assert ([sizes[0]] * 5, written) == (sizes, found(writer))
    assert sizes[0] > writer.end


def test_much_is_followed_by_nothing(writer: PackWriter) -> None:
    """What comes in bulk is not written twice."""
    synced = writer.end
    writer.append(some_chunks(3, 40_000)[0])
    writer.prepare(synced)
    assert writer.end == os.fstat(writer.fd).st_size


def test_a_pack_ends_with_its_last_record_once_it_is_left(tmpfs_dir: Path) -> None:
    """The room behind it is given back."""
    opened = PackWriter.open(str(tmpfs_dir), 7, 0)
    opened.append(some_chunks(1, 100)[0])
    opened.prepare(0)
    opened.close()
    assert opened.end == os.stat(path_of(str(tmpfs_dir), 7)).st_size
