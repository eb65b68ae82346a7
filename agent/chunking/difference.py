"""What differs between two contents, offset by offset. Pure but for reading pieces of chunk lists: lists in, ranges out.

Pieces that both lists name at the same offset are passed over unread: what a huge file grew by is found in what it grew by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, takewhile
from typing import TypeAlias

from agent.core import chunks
from agent.core.chunks import PIECE, Chunk

_Read = Callable[[bytes], bytes]
#: So many differences are kept in memory, some 4 MiB.
_KNOWN = 16_384
#: The offset of an entry, the entry, and what began there before, if anything did.
Difference: TypeAlias = tuple[int, Chunk, Chunk | None]


def replaced(old: bytes, new: bytes, read: _Read) -> Iterator[Difference]:
    """``(offset, entry, what was there)`` of every entry of ``new`` that does not stand at the same offset in ``old``, in file
    order; what was there is the entry of ``old`` that begins there, if one does.

    Both are chunk lists, whose pieces ``read`` gives; the entries are data and holes. A hole of ``new`` inside a larger hole of
    ``old`` is taken for changed: punching it again costs nothing."""
    ours, theirs = _Walk(new, read), _Walk(old, read)
    while ours.entry is not None:
        theirs.go_to(ours.at)
        was = theirs.entry if theirs.at == ours.at else None
        if was == ours.entry:
            theirs.skip()
        elif ours.entry.kind == PIECE:
            ours.open()
            continue
        elif was is not None and was.kind == PIECE:
            theirs.open()
            continue
        else:
            yield ours.at, ours.entry, was
        ours.skip()


def changed_bytes(differences: Iterable[Difference], end: int) -> int:
    """How many bytes before ``end`` differ."""
    before_end = takewhile(lambda one: one[0] < end, differences)
    return sum(min(entry.length, end - offset) for offset, entry, _ in before_end)


class Differences:
    """What :func:`replaced` gives, for who goes over it more than once: found once, where it fits into memory."""

    def __init__(self, old: bytes, new: bytes, read: _Read) -> None:
        self._lists = old, new, read
        self._known: list[Difference] | None = None

    def __iter__(self) -> Iterator[Difference]:
        if self._known is None:
            found = replaced(*self._lists)
            known = list(islice(found, _KNOWN))
            if len(known) == _KNOWN:
                return chain(known, found)
            self._known = known
        return iter(self._known)


class _Walk:
    """A walk over a chunk list: ``entry`` at offset ``at``, which may be a piece; None at the end."""

    def __init__(self, data: bytes, read: _Read) -> None:
        self._read = read
        self._rest = [iter(chunks.decode(data))]
        self.at = 0
        self.entry: Chunk | None = None
        self._next()

    def skip(self) -> None:
        """Pass over the entry."""
        if self.entry is not None:
            self.at += self.entry.length
            self._next()

    def open(self) -> None:
        """The first entry of what the piece holds."""
        assert self.entry is not None
        self._rest.append(iter(chunks.opened(self.entry, self._read, len(self._rest))))
        self._next()

    def go_to(self, offset: int) -> None:
        """Pass over what begins before an offset."""
        while self.entry is not None and self.at < offset:
            if self.entry.kind == PIECE and self.at + self.entry.length > offset:
                self.open()
            else:
                self.skip()

    def _next(self) -> None:
        while self._rest:
            self.entry = next(self._rest[-1], None)
            if self.entry is not None:
                return
            self._rest.pop()
