"""The keys of one converge, in memory or in a temporary file: as many as there are, in bounded memory (law 9)."""

from __future__ import annotations

import itertools
import marshal
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

from agent.apply.ports import KeyChange
from agent.core.rows import NAME_TAG, OBJECT_TAG, tag_of_key


class KeyFile:
    """Batches of key changes, written once and read as often as needed, forwards or backwards.

    ``marshal`` is the quickest form that Python has; nobody but this object ever reads the bytes."""

    def __init__(self, directory: str | None, limit: int) -> None:
        self._directory = directory
        self._limit = limit
        self._blobs: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, int]] = []
        self.count = 0

    def add(self, batch: list[KeyChange]) -> None:
        """Keep a batch."""
        blob = marshal.dumps(batch)
        self.count += len(batch)
        self._size += len(blob)
        if self._file is None and self._size <= self._limit:
            self._blobs.append(blob)
            return
        if self._file is None:
            self._spill()
        self._append(blob)

    @property
    def spilled(self) -> bool:
        """Whether it did not fit into memory."""
        return self._file is not None

    def batches(self, *, backwards: bool = False) -> Iterator[list[KeyChange]]:
        """Every batch in the order given, or both batches and what is in them reversed."""
        source = self._stored(backwards) if self._file else (reversed(self._blobs) if backwards else self._blobs)
        for blob in source:
            batch: list[KeyChange] = marshal.loads(blob)  # noqa: S302 - written by this object
            if backwards:
                batch.reverse()
            yield batch

    def close(self) -> None:
        """Give memory and file back."""
        self._blobs.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self) -> None:
        self._file = tempfile.TemporaryFile(dir=self._directory, prefix="converge-")  # noqa: SIM115 - closed by close
        for blob in self._blobs:
            self._append(blob)
        self._blobs.clear()

    def _append(self, blob: bytes) -> None:
        assert self._file is not None
        self._file.seek(0, 2)
        self._places.append((self._file.tell(), len(blob)))
        self._file.write(blob)

    def _stored(self, backwards: bool) -> Iterator[bytes]:
        assert self._file is not None
        for offset, length in reversed(self._places) if backwards else self._places:
            self._file.seek(offset)
            yield self._file.read(length)


class WorkSet:
    """Key changes of a tree, objects apart from names. ``directory``: where a temporary file may stand (None: the system's)."""

    def __init__(self, directory: str | None, limit: int) -> None:
        self.objects = KeyFile(directory, limit)
        self.names = KeyFile(directory, limit)
        self._of = {OBJECT_TAG: self.objects, NAME_TAG: self.names}

    def fill(self, batches: Iterable[list[KeyChange]]) -> WorkSet:
        """Take everything in; objects must come before names. ``KeyError``: a kind that no tree has."""
        for batch in batches:
            if not batch:
                continue
            first, last = tag_of_key(batch[0][0]), tag_of_key(batch[-1][0])
            if first == last:
                self._of[first].add(batch)
            else:
                for tag, some in itertools.groupby(batch, lambda change: tag_of_key(change[0])):
                    self._of[tag].add(list(some))
        return self

    def __len__(self) -> int:
        return self.objects.count + self.names.count

    def close(self) -> None:
        """Give memory and files back."""
        self.objects.close()
        self.names.close()
