"""A device that is a byte array, behind the same Protocols as a tree: captured into rows of chunks, read back, sent and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.capture.outlet import Lack, ReadChunk
from agent.core import chunks
from agent.core.chunks import DEVICE_CHUNK, ChunkRef
from agent.core.commit import Changes, Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.ids import ChunkNumber, CommitNumber, Epoch, ObjectId
from agent.core.rows import chunk_key, chunk_number_of_key, decode_chunk, encode_chunk
from agent.store.catalog.catalog import CatalogReader
from fakes.stream_fakes import EPOCH, FakeSource, Primary, Secondary


class DevicePrimary(Primary):
    """``image`` is what reading finds; it is captured when written to, or when told."""

    def __init__(self, directory: Path, image: bytes, limit: int = 64 << 20, epoch: Epoch = EPOCH) -> None:
        super().__init__(directory, epoch, limit)
        self.image = bytearray(image)
        self.moments: dict[CommitNumber, bytes] = {}
        self.capture_all()

    def put(self, *writes: tuple[int, bytes]) -> Commit:
        """Write bytes at offsets, and capture the chunks that they touch as one commit."""
        with self._lock:
            touched: set[int] = set()
            for offset, data in writes:
                self.image[offset : offset + len(data)] = data
                touched.update(range(offset // DEVICE_CHUNK + 1, (offset + len(data) - 1) // DEVICE_CHUNK + 2))
            return self.capture(sorted(map(ObjectId, touched)))

    def resize(self, size: int) -> Commit:
        """Cut off, or go on with zeros."""
        with self._lock:
            ends = {_count(len(self.image)), _count(size), *range(_count(size) + 1, _count(len(self.image)) + 1)}
            self.image = self.image[:size].ljust(size, b"\0")
            return self.capture(sorted(map(ObjectId, ends)))

    def capture_all(self) -> Commit:
        """Capture every chunk that there is."""
        return self.capture([ObjectId(number) for number in range(1, _count(len(self.image)) + 1)])

    def capture(self, objects: Sequence[ObjectId]) -> Commit:
        """Capture what these chunks hold now."""
        with self._lock:
            puts: list[bytes] = []
            drops: list[bytes] = []
            found: list[ReadChunk] = []
            for number in (one for one in objects if one not in self.blind):
                data = bytes(self.image[(number - 1) * DEVICE_CHUNK : number * DEVICE_CHUNK])
                old = self.catalog.chunk(ChunkNumber(number))
                if data and (data.strip(b"\0") or number == _count(len(self.image))):
                    name = chunks.name_of(data)
                    if (row := encode_chunk(number, len(data), name)) != old:
                        puts.append(row)
                        found.append(ReadChunk(name, chunks.DATA, data, self._is_new(name)))
                elif old is not None:
                    drops.append(chunk_key(number))
            commit = self._commit(Changes(puts, drops), found, [], True)
            self.moments[commit.number] = bytes(self.image)
            return commit

    def source(self) -> FakeSource:
        """For a sender; opened in its thread."""
        return _DeviceSource(self, self.catalog.reader())


class _DeviceSource(FakeSource):
    def __init__(self, primary: Primary, reader: CatalogReader) -> None:
        super().__init__(primary, reader)
        self.object = reader.holder

    def _read(self, ref: ChunkRef) -> bytes | Lack:
        assert isinstance(self._primary, DevicePrimary)
        if ref.object in self._primary.unreadable:
            return Lack.UNREADABLE
        data = bytes(self._primary.image[ref.offset : ref.offset + ref.length])
        return data if chunks.name_of(data) == ref.name else Lack.CHANGED


class DeviceSecondary(Secondary):
    """Keeps a device."""

    dataset_kind = DatasetKind.DEVICE

    def image_at(self, at: CommitNumber) -> bytes:
        """The device as its rows and the vault say it was."""
        chunk_rows = [decode_chunk(row) for row in self._rows(at)]
        image = bytearray(max((one.end for one in chunk_rows), default=0))
        for one in chunk_rows:
            image[one.offset : one.end] = self.vault.read(one.name)
        return bytes(image)

    def changed(self, image: bytes, a: CommitNumber, b: CommitNumber) -> bytes:
        """The device at ``b``, made of its image at ``a`` and the difference."""
        here = {one.number: one for one in map(decode_chunk, self._rows(a))}
        for key, _, new in (one for some in self.catalog.difference(a, b) for one in some):
            number = chunk_number_of_key(key)
            if new is None:
                del here[number]
            else:
                here[number] = decode_chunk(new)
        size = max((one.end for one in here.values()), default=0)
        made = bytearray(size)
        for one in here.values():
            old = image[one.offset : one.end]
            made[one.offset : one.end] = old if chunks.name_of(old) == one.name else self.vault.read(one.name)
        return bytes(made)

    def _rows(self, at: CommitNumber) -> list[bytes]:
        return [row for rows in self.catalog.rows_at(at) for row in rows]


def _count(size: int) -> int:
    """How many chunks a device of so many bytes has; the number of its last."""
    return -(-size // DEVICE_CHUNK)
