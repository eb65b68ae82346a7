"""What was read of a device, beside what is known of it: who changed, and how its content travels."""

from __future__ import annotations

from agent.capture.device.batch import DeviceBatch
from agent.capture.device.runs import Run, begins_at, chunk_count
from agent.chunking.device_prints import (
    ZEROS,
    chunk_print,
    is_known_chunk,
    pages_between,
    whole_print,
)
from agent.chunking.reader import Found
from agent.core import chunks
from agent.core.chunks import DEVICE_CHUNK
from agent.core.ids import ChunkNumber
from agent.core.patch import Runs
from agent.core.rows import chunk_columns, encode_chunk
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local


class ChunkLooker:
    """Compares chunks with catalog and prints, and puts those that differ into the batch. Belongs to the pump's thread.

    ``found`` and ``patches``: content that is to be sent; taken and emptied by who sends it."""

    def __init__(self, catalog: Catalog, local: Local, batch: DeviceBatch, seed: int, size: int) -> None:
        self.found: list[Found] = []
        self.patches: dict[bytes, Runs] = {}
        #: Chunks that differed, since the start.
        self.differed = 0
        self._catalog = catalog
        self._local = local
        self._batch = batch
        self._seed = seed
        self._size = size
        self._last = chunk_count(size)
        self._zeros = chunk_print(ZEROS, seed)

    def look(self, run: Run, data: memoryview) -> None:
        """``data``: what stands in the run's chunks, to the end of the device at most."""
        first, last = run
        rows = self._rows(run)
        kept = self._local.prints(first, last)
        for number in range(first, last + 1):
            begin = begins_at(number) - begins_at(first)
            piece = data[begin : begin + DEVICE_CHUNK]
            if piece:  # It is shorter than it was: the next look at its path finds that.
                self._chunk(number, piece, rows.get(number), kept.get(number, b""))

    def look_at_hole(self, run: Run) -> None:
        """All of a run reads as zeros, as the filesystem of an image says."""
        first, last = run
        rows = self._rows(run)
        changed = [number for number in self._batch.rows_by_number if first <= number <= last]
        for number in {*rows, *changed}:
            if number != self._last:
                self._becomes_zeros(number, rows.get(number))
        if first <= self._last <= last:
            end = self._size - begins_at(self._last)
            self.look((self._last, self._last), memoryview(ZEROS)[:end])

    def look_at_unreadable(self, number: int) -> None:
        """Nobody knows what stands there now: its row says so, and is sealed without its content."""
        row = self._rows((number, number)).get(number)
        length = min(DEVICE_CHUNK, self._size - begins_at(number))
        made = encode_chunk(number, length, chunks.unreadable_name(number))
        if made == row:
            self._batch.same(number, b"")
        elif made != self._batch.rows_by_number.get(number):
            self.differed += 1
            self._batch.put_unreadable(number, made)

    def cut_off(self) -> None:
        """What the catalog has beyond the end of the device is gone."""
        row = self._catalog.last_chunk(self._batch.at)
        beyond = chunk_columns(row)[0] if row is not None else 0
        if beyond > self._last:
            for number in self._rows((self._last + 1, beyond)):
                self._batch.put(number, None, b"", 0)

    def _rows(self, run: Run) -> dict[int, bytes]:
        """What the catalog has, by number; zeros have no row."""
        first, last = ChunkNumber(run[0]), ChunkNumber(run[1])
        return {chunk_columns(row)[0]: row for row in self._catalog.chunks_within(first, last, self._batch.at)}

    def _chunk(self, number: int, data: memoryview, row: bytes | None, kept: bytes) -> None:
        """``row``: what the catalog has, ``kept``: the print that was written last."""
        print_now = chunk_print(data, self._seed)
        batch = self._batch
        now, known = batch.rows_by_number.get(number, row), batch.prints.get(number) or kept
        if now is not None and is_known_chunk(known, print_now, chunk_columns(now)[2]):
            return
        if number != self._last and print_now == self._zeros and bytes(data) == ZEROS:
            if now is not None:
                self._becomes_zeros(number, row)
            return
        self._differs(number, bytes(data), row, (now, known, print_now))

    def _becomes_zeros(self, number: int, row: bytes | None) -> None:
        if row is None:
            self._batch.same(number, b"")
        else:
            self.differed += 1
            self._batch.put(number, None, b"", 0)

    def _differs(self, number: int, raw: bytes, row: bytes | None, was: tuple[bytes | None, bytes, bytes]) -> None:
        """It is no chunk that is known by its print. ``was``: its row as of this batch, the print of that, and what was found.
        The peers have that version too, as far as they take patches: a round tells only what changed since the one before."""
        now, known, found = was
        name = chunks.name_of(raw)
        whole = whole_print(found, name, raw, self._seed)
        made = encode_chunk(number, len(raw), name)
        if made == row:
            self._batch.same(number, whole)
            return
        self.differed += 1
        self._batch.put(number, made, whole, len(raw))
        self.found.append((name, chunks.DATA, raw))
        runs = pages_between(known, whole, chunk_columns(now)[2], len(raw)) if now is not None else ()
        if runs:
            self.patches[name] = runs
