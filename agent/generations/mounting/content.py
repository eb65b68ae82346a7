"""The content of one open file: ranges of it, of which only the chunks are read; ahead of who reads on."""

from __future__ import annotations

import errno
from bisect import bisect_right
from dataclasses import dataclass

from agent.core.chunks import DATA, HOLE, Chunk
from agent.core.errors import Damaged, NotFound
from agent.generations.mounting.chunk_cache import ChunkCache
from agent.generations.mounting.nodes import RangedContent
from agent.generations.mounting.written_over import WrittenOver

_REMEDY = "hikae generations verify looks at all"


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """Bytes. ``window``: of a file whose chunks are looked up at once; ``first``: that are fetched ahead once somebody reads on,
    twice as many each time up to ``most``; ``apart``: a read that begins no further from the end of the last one goes on."""

    window: int = 16 << 20
    first: int = 256 << 10
    most: int = 6 << 20
    apart: int = 1 << 20


class FileContent:
    """For one thread. ``over``: what is written over it, None for content that is only read. Whoever made it has told ``cache``
    that somebody begins to read."""

    def __init__(
        self,
        content: RangedContent,
        cache: ChunkCache,
        ahead: ReadAhead | None = None,
        over: WrittenOver | None = None,
    ) -> None:
        self._content = content
        self._size = content.size
        self._over = over
        self._cache = cache
        self._limits = ahead or ReadAhead()
        self._starts: list[int] = []
        self._chunks: list[Chunk] = []
        self._end = 0
        #: Where the last read ended, how far was fetched ahead, and how far it is next.
        self._next = -1
        self._fetched = 0
        self._ahead = 0

    def close(self) -> None:
        """It is read no more."""
        self._cache.end()

    def read(self, offset: int, length: int) -> bytes:
        """A range, less where the file ends. Raises ``Damaged`` (for what is lost too), ``StoreFailed``, ``WireError``."""
        return self._below(offset, length) if self._over is None else self._over.read(offset, length, self._below)

    def write(self, offset: int, data: bytes) -> int:
        """Lay data over a range; bytes written. OSError, for content that is only read too; raises as :meth:`read`."""
        if self._over is None:
            raise OSError(errno.EROFS, "history is read-only")
        return self._over.write(offset, data, self._below)

    def _below(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self._size)
        if offset >= end:
            return b""
        try:
            self._read_on(offset, end)
            return self._joined(offset, end)
        except NotFound as error:
            reason = "a chunk of it is lost here"
            raise Damaged("read a file", error.subject, reason, _REMEDY) from error

    def _joined(self, offset: int, end: int) -> bytes:
        parts: list[bytes] = []
        at = offset
        while at < end:
            start, chunk = self._chunk_at(at)
            parts.append(self._bytes_of(chunk, at - start, min(end - start, chunk.length)))
            at = start + chunk.length
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _bytes_of(self, chunk: Chunk, first: int, last: int) -> bytes:
        if chunk.kind == HOLE:
            return bytes(last - first)
        data = self._cache.get(chunk.name)
        if len(data) != chunk.length:
            reason = f"a chunk of {len(data)} bytes where the row says {chunk.length}"
            raise Damaged("read a file", chunk.name.hex(), reason, _REMEDY)
        return data if last - first == len(data) else data[first:last]

    def _chunk_at(self, offset: int) -> tuple[int, Chunk]:
        """The chunk that holds a byte, and where it begins."""
        if not (self._starts and self._starts[0] <= offset < self._end):
            if offset != self._end:
                self._starts, self._chunks = [], []
            self._look_up(offset)
        index = bisect_right(self._starts, offset) - 1
        return self._starts[index], self._chunks[index]

    def _look_up(self, offset: int) -> None:
        """The chunks from here on; parts of a long list are read for them, and only those."""
        found = list(self._content.within(offset, self._limits.window))
        if not found:
            raise Damaged(
                "read a file",
                "",
                f"its chunk list ends before byte {offset:,}",
                "hikae generations verify looks at all",
            )
        # Who reads on, and who fetches ahead of him, ask by turns.
        passed = max(0, bisect_right(self._starts, self._next - self._limits.apart) - 1)
        self._starts = [*self._starts[passed:], *(start for start, _ in found)]
        self._chunks = [*self._chunks[passed:], *(chunk for _, chunk in found)]
        self._end = found[-1][0] + found[-1][1].length

    def _read_on(self, offset: int, end: int) -> None:
        """Fetch ahead for who reads on; one who jumps gets what he asks for."""
        limits = self._limits
        goes_on = self._next >= 0 and abs(offset - self._next) <= limits.apart
        self._next = end
        if not goes_on:
            self._ahead = self._fetched = 0
            return
        self._ahead = min(limits.most, self._cache.share, max(limits.first, 2 * self._ahead))
        start = max(end, self._fetched)
        upto = min(end + self._ahead, self._size)
        # In steps: each costs a look at the list, whatever it finds.
        if upto - start < min(limits.first, self._ahead, self._size - start) or start >= upto:
            return
        self._fetched = self._fetch(start, upto)

    def _fetch(self, start: int, upto: int) -> int:
        """How far it is being fetched: not all of it where many read on at once."""
        names: list[bytes] = []
        ends: list[int] = []
        size, at = 0, start
        while at < upto:
            begin, chunk = self._chunk_at(at)
            at = begin + chunk.length
            if chunk.kind == DATA:
                names.append(chunk.name)
                ends.append(at)
                size += chunk.length
        taken = self._cache.fetch_ahead(names, size // len(names)) if names else 0
        return at if taken == len(names) else ends[taken - 1] if taken else start
