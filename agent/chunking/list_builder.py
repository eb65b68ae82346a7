"""A chunk list while it grows: the same bytes as ``chunks.fold`` without holding the entries of a huge file."""

from __future__ import annotations

from collections.abc import Callable

from agent.core import chunks
from agent.core.chunks import FLAT_LIMIT, PIECE, PIECE_LIMIT, Chunk


class Folding:
    """Entries are added in file order. Holds at most some tens of them a level.

    Every piece goes to ``keep(name, bytes)`` as soon as it is whole. ``chunks.fold`` decides level by level, knowing
    all of it; a level here knows that it must be cut once it has more than ``limit`` entries, and then cuts what
    it has."""

    def __init__(self, keep: Callable[[bytes, bytes], None], limit: int = FLAT_LIMIT) -> None:
        self._keep = keep
        self._limit = limit
        self._run: list[Chunk] = []
        self._upper: Folding | None = None

    def add(self, entry: Chunk) -> None:
        """The next entry of the file."""
        run = self._run
        run.append(entry)
        if self._upper is None:
            if len(run) > self._limit:
                self._overflow()
        elif chunks.ends_piece(len(run), entry.name):
            self._close_run(self._upper)

    def finish(self) -> bytes:
        """The chunk list of everything added."""
        if self._upper is None:
            return chunks.encode(self._run)
        if self._run:
            self._close_run(self._upper)
        return self._upper.finish()

    def _overflow(self) -> None:
        entries, self._run = self._run, []
        self._upper = Folding(self._keep, PIECE_LIMIT)
        for entry in entries:
            self.add(entry)

    def _close_run(self, upper: Folding) -> None:
        data = chunks.encode(self._run)
        name = chunks.name_of_list(data)
        self._keep(name, data)
        upper.add(Chunk(PIECE, chunks.covered(self._run), name))
        self._run = []
