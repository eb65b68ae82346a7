"""Packs as they are read: descriptors that are kept open for a while, and records that are checked where they lie."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agent.core.errors import Damaged, WireError
from agent.core.patch import HEAD_MAX, bases_of
from agent.store.vault.codec import StoredChunk, open_chunk
from agent.store.vault.pack import HEADER_SIZE, Place, io_failure, parse_header, path_of

REPAIR = "it is fetched from the primary again; hikae verify, with --deep, looks at all"
_OPEN_PACKS = 64


class OpenPack:
    """A descriptor that closes when the last reader lets go of it. Methods raise ``Damaged``, ``StoreFailed``."""

    __slots__ = ("fd", "path")

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Damaged("read a chunk", path, "its pack is gone", REPAIR) from error
        except OSError as error:
            raise io_failure(error, "read a chunk", path) from error

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes as they are there."""
        try:
            return os.pread(self.fd, length, offset)
        except OSError as error:
            raise io_failure(error, "read a chunk", self.path) from error

    def leave_memory(self, place: Place) -> None:
        """What lies there is read from the disk the next time, as far as the kernel goes along."""
        with suppress(OSError):
            os.posix_fadvise(self.fd, place.offset, HEADER_SIZE + place.stored_length, os.POSIX_FADV_DONTNEED)

    def check_header(self, name: bytes, place: Place) -> None:
        """A record of that name is there."""
        self._check(name, place, self.read(place.offset, HEADER_SIZE))

    def record(self, name: bytes, place: Place) -> bytes:
        """The whole record, which is that of this chunk; its bytes begin after ``HEADER_SIZE``, and nobody has checked them."""
        record = self.read(place.offset, HEADER_SIZE + place.stored_length)
        self._check(name, place, record[:HEADER_SIZE])
        return record

    def stored(self, name: bytes, place: Place) -> bytes:
        """What is stored for a chunk."""
        return self.record(name, place)[HEADER_SIZE:]

    def chunk(self, name: bytes, place: Place) -> bytes:
        """The bytes of a chunk that is stored whole, checked against its name."""
        stored = self.stored(name, place)
        with self.damage_told(place):
            return open_chunk(StoredChunk(name, place.kind, place.codec, place.raw_length, stored))

    def bases(self, place: Place) -> tuple[bytes, ...]:
        """What a patch that lies there is made of. Raises also ``WireError``."""
        return bases_of(self.read(place.offset + HEADER_SIZE, min(HEAD_MAX, place.stored_length)))

    @contextmanager
    def damage_told(self, place: Place) -> Iterator[None]:
        """What would be a lie on the wire is damage in our own pack."""
        try:
            yield
        except WireError as error:
            raise Damaged("read a chunk", f"{self.path} at {place.offset}", error.reason, REPAIR) from error

    def _check(self, name: bytes, place: Place, header: bytes) -> None:
        if parse_header(header, place.pack, place.offset) != (name, place):
            where = f"{self.path} at {place.offset}"
            raise Damaged("read a chunk", where, "its record is not where the index says", REPAIR)


class OpenPacks:
    """The packs in a directory that were read last. Not thread-safe; a pack that falls out here is kept alive by whoever reads
    from it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._open: OrderedDict[int, OpenPack] = OrderedDict()

    def __call__(self, number: int) -> OpenPack:
        """An open pack. Raises ``Damaged``, ``StoreFailed``."""
        pack = self._open.get(number)
        if pack is None:
            pack = self._open[number] = OpenPack(path_of(self._directory, number))
            if len(self._open) > _OPEN_PACKS:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(number)
        return pack

    def forget(self, number: int) -> None:
        """The pack goes."""
        self._open.pop(number, None)

    def forget_gone(self) -> None:
        """Packs that were deleted, by whomever, are let go of: their room comes back."""
        gone = [number for number, pack in self._open.items() if not os.fstat(pack.fd).st_nlink]
        for number in gone:
            self.forget(number)

    def close(self) -> None:
        """Let go of all."""
        self._open.clear()
