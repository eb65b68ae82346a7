"""Packs: append-only files of records, ``packs/NNNNNNNN.pack``.

A record, big-endian::

    magic "hkR1"   kind u8   codec u8   depth u16   raw length u32   stored length u32   name 32
    check u64      xxh3_64 of the 48 bytes before
    stored bytes

The check makes a header recognisable wherever it lies, so a damaged record costs itself and not the rest of its pack.
Whether the stored bytes are right, only the chunk's name tells. Of records of one name the last counts; a
tombstone says that the chunk was forgotten. ``depth`` is that of a patch (``store.vault.patch_chains``), 0 for what is whole.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from agent.core.chunks import MAX_CHUNK
from agent.core.errors import DiskFull, StoreFailed
from agent.store.vault.codec import RAW, StoredChunk

MAGIC = b"hkR1"
HEAD = struct.Struct(">4sBBHII32s")
_CHECK = struct.Struct(">Q")
HEADER_SIZE = HEAD.size + _CHECK.size
_IOV_MAX = 1024
#: Bytes that are read at once to look for records.
SEARCH_WINDOW = 1 << 20
#: A sync of a file that grew, or whose blocks were never written, writes five blocks of an ext4 journal; one of blocks that were
#: written before, none. So where little comes between two syncs, zeros are written so far ahead of it (docs/decisions/0036).
_ROOM = 16 << 10
#: More than that between two syncs is no little.
_LITTLE = 64 << 10
_ZEROS = bytes(_ROOM)
_FILE_NAME = re.compile(r"(\d{8})\.pack")


#: The kind of a record that says that the chunk of its name was forgotten: whatever lies before it is not there any more.
TOMBSTONE = 0xFF


@dataclass(frozen=True, slots=True, order=True)
class PackEnd:
    """Up to where records are durable: packs before ``pack`` whole, ``pack`` up to ``offset`` bytes."""

    pack: int
    offset: int


class Place(NamedTuple):
    """Where a chunk's record begins, and what its header says."""

    pack: int
    offset: int
    kind: int
    codec: int
    raw_length: int
    stored_length: int
    depth: int = 0

    @property
    def end(self) -> int:
        """The offset behind the record."""
        return self.offset + HEADER_SIZE + self.stored_length


def tombstone(name: bytes) -> StoredChunk:
    """The record that says that a chunk was forgotten."""
    return StoredChunk(name, TOMBSTONE, RAW, 0, b"")


def header_of(chunk: StoredChunk) -> bytes:
    """The header of a chunk's record."""
    head = HEAD.pack(MAGIC, chunk.kind, chunk.codec, chunk.depth, chunk.raw_length, len(chunk.stored), chunk.name)
    return head + _CHECK.pack(xxh3_64_intdigest(head))


def parse_header(data: bytes, pack: int, offset: int) -> tuple[bytes, Place] | None:
    """Name and place of the record whose header is at the start of ``data``; None if there is none."""
    if len(data) < HEADER_SIZE or not data.startswith(MAGIC):
        return None
    if _CHECK.unpack_from(data, HEAD.size)[0] != xxh3_64_intdigest(data[: HEAD.size]):
        return None
    _, kind, codec, depth, raw_length, stored_length, name = HEAD.unpack_from(data)
    if stored_length > MAX_CHUNK:
        return None
    return name, Place(pack, offset, kind, codec, raw_length, stored_length, depth)


def path_of(directory: str, pack: int) -> str:
    """The path of a pack."""
    return os.path.join(directory, f"{pack:08d}.pack")


def numbers_in(directory: str) -> list[int]:
    """The packs of a directory, in order."""
    return sorted(int(match[1]) for match in map(_FILE_NAME.fullmatch, os.listdir(directory)) if match)


def records(
    fd: int, pack: int, start: int, end: int, damage: list[str], *, read: int = SEARCH_WINDOW
) -> Iterator[tuple[bytes, Place]]:
    """Name and place of every record in ``[start, end)`` of a pack. Stretches that are no records are passed over
    and added to ``damage`` in words. ``read``: bytes that are read at once."""
    at = start
    window, window_at = b"", start
    while at < end:
        if at < window_at or at + HEADER_SIZE > window_at + len(window):
            window, window_at = os.pread(fd, read, at), at
        found = parse_header(window[at - window_at : at - window_at + HEADER_SIZE], pack, at)
        if found is None or found[1].end > end:
            after = _next_record(fd, pack, at + 1, end, read)
            damage.append(f"pack {pack}: bytes {at} to {after} are no records")
            at = after
            continue
        yield found
        at = found[1].end


def _next_record(fd: int, pack: int, start: int, end: int, read: int) -> int:
    """The offset of the next valid header that fits, or ``end``."""
    at = start
    while at < end:
        window = os.pread(fd, read + HEADER_SIZE, at)
        if not window:
            break
        hit = window.find(MAGIC)
        while 0 <= hit < read:
            found = parse_header(window[hit : hit + HEADER_SIZE], pack, at + hit)
            if found is not None and found[1].end <= end:
                return at + hit
            hit = window.find(MAGIC, hit + 1)
        at += read
    return end


class PackWriter:
    """Appends records to one pack. Not thread-safe; the vault's lock guards it."""

    def __init__(self, fd: int, path: str, pack: int, end: int) -> None:
        self.fd = fd
        self.path = path
        self.pack = pack
        self.end = end
        #: How long the file is: zeros stand between ``end`` and there, or nothing.
        self._size = end

    @classmethod
    def open(cls, directory: str, pack: int, end: int) -> PackWriter:
        """Open a pack for appending at ``end``, creating it; what lies behind is cut. Raises ``StoreFailed``,
        ``DiskFull``."""
        path = path_of(directory, pack)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(fd, end)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            raise io_failure(error, "open a pack", path) from error
        return cls(fd, path, pack, end)

    def append(self, chunks: Sequence[StoredChunk]) -> list[Place]:
        """Write records of at most :data:`BATCH` chunks with one system call; gives their places in order.

        Raises ``DiskFull``: nothing of the batch is there then. ``StoreFailed`` otherwise."""
        places = []
        vector: list[bytes | memoryview] = []
        at = self.end
        for chunk in chunks:
            stored = chunk.stored
            vector += (header_of(chunk), stored)
            places.append(Place(self.pack, at, chunk.kind, chunk.codec, chunk.raw_length, len(stored), chunk.depth))
            at += HEADER_SIZE + len(stored)
        try:
            self._write(vector, at - self.end)
        except OSError as error:
            self._cut(error)
            raise io_failure(error, "write to the vault", self.path) from error
        self.end = at
        self._size = max(self._size, at)
        return places

    def prepare(self, synced: int) -> None:
        """Before a sync: ``synced`` is up to where the file is durable. Where little came since, the next syncs find blocks that
        were written."""
        if self.end < self._size or self.end - synced > _LITTLE:
            return
        # What does not work is tried again by who appends, and told then.
        with suppress(OSError):
            self._size += os.pwrite(self.fd, _ZEROS, self._size)

    def trim(self) -> None:
        """Give back the room behind the end. Raises ``OSError``."""
        if self._size > self.end:
            os.ftruncate(self.fd, self.end)
            self._size = self.end

    def close(self) -> None:
        """Give the room and the descriptor back."""
        if self.fd >= 0:
            with suppress(OSError):
                self.trim()
            os.close(self.fd)
            self.fd = -1

    def _write(self, vector: list[bytes | memoryview], length: int) -> None:
        written = os.pwritev(self.fd, vector, self.end)
        if written == length:
            return
        rest = memoryview(b"".join(vector))[written:]
        at = self.end + written
        while rest:
            written = os.pwrite(self.fd, rest, at)
            rest = rest[written:]
            at += written

    def _cut(self, cause: OSError) -> None:
        """Half a record must not stay: what follows it would be taken for damage."""
        try:
            os.ftruncate(self.fd, self.end)
            self._size = self.end
        except OSError as error:
            raise StoreFailed(
                "write to the vault", self.path, f"{cause}; and the rest cannot be cut: {error}"
            ) from error


#: Chunks of one append: a header and the stored bytes each.
BATCH = _IOV_MAX // 2


def io_failure(error: OSError, operation: str, path: str) -> DiskFull | StoreFailed:
    """What an error of the vault's files means; to be raised ``from`` it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(operation, path, "the disk is full", "free some space; the agent goes on by itself")
    return StoreFailed(operation, path, str(error), "see the kernel log; restart the agent when the disk is well")
