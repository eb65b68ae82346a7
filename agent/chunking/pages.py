"""Which 4 KiB pages of a large file changed: so a chunk travels as a patch of those that stood there before.

Page digests are a hint, as everything that is not a name: should two pages that differ share one, the peer rebuilds another
chunk than the commit names, refuses the commit, and gets the chunk whole.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from xxhash import xxh3_64_digest

from agent.core.ids import ObjectId
from agent.core.patch import BASES_MAX, PAGE, PatchRange, Runs, joined, literal_bytes

#: Files from this size on have page digests, and from the other on once they changed.
PAGED, CHANGED_PAGED = 1 << 20, 8 << 10
DIGEST = 8
_AT_ONCE = 4096
_GONE_MAX = 1 << 20
#: Where one chunk changed, those that follow often did: digests of so many are asked for together.
_TOGETHER = 64

#: ``(offset in the file, length, name)`` of a chunk of the version before.
Placed = tuple[int, int, bytes]


#: Names of the chunks of the version before from where the read is, at most so many.
Following = Callable[[int], Sequence[bytes]]


class Store(Protocol):
    """``store.pages.Pages``."""

    def knows(self, id: ObjectId) -> bool: ...

    def of(self, id: ObjectId, chunks: Sequence[bytes]) -> Mapping[bytes, bytes]: ...

    def put(self, id: ObjectId, reading: int, rows: Sequence[tuple[bytes, bytes]]) -> None: ...

    def drop(self, id: ObjectId, chunks: Sequence[bytes]) -> None: ...

    def withdraw(self, id: ObjectId, reading: int) -> None: ...


def digests(view: memoryview, at: int, seed: int) -> bytes:
    """Of a chunk that stands at ``at`` in its file: of each page of the file in order, as far as it lies in the chunk. First, in
    two bytes, where in the chunk the first page begins."""
    first = -at % PAGE
    parts = [first.to_bytes(2, "big")]
    if first:
        parts.append(xxh3_64_digest(view[:first], seed))
    parts += [xxh3_64_digest(view[begin : begin + PAGE], seed) for begin in range(first, len(view), PAGE)]
    return b"".join(parts)


def _grid(first: int, length: int) -> Iterator[tuple[int, int]]:
    """``(offset, length)`` of the pages of a chunk."""
    if first:
        yield 0, min(first, length)
    for begin in range(first, length, PAGE):
        yield begin, min(PAGE, length - begin)


class PageReader:
    """The pages of one file during one read. ``patches``: how chunks that were found are made, by name; taken and emptied
    with them. ``had``: the version before has digests. After the read: :meth:`finish`, or :meth:`withdraw` if it was in vain."""

    def __init__(self, store: Store, id: ObjectId, seed: int, known: bool, if_changed: bool = False) -> None:
        """``known``: the catalog has a version of the file; ``if_changed``: of a small one that did not change nothing is kept,
        so that a million files whose mode changed have no digests."""
        self.patches: dict[bytes, Runs] = {}
        self._store, self._id, self._seed = store, id, seed
        self._reading = secrets.randbits(62)
        self.had = known and store.knows(id)
        self._known: Mapping[bytes, bytes] = {}
        self._asked: frozenset[bytes] = frozenset()
        self._new: dict[bytes, bytes] = {}
        self._gone: list[bytes] = []
        self._worth_it = not if_changed

    def kept(self, name: bytes, view: memoryview, at: int) -> None:
        """A chunk did not change, and stands at ``at``. A file that has no digests yet gets them of all its chunks."""
        if not self.had:
            self._note(name, digests(view, at, self._seed))

    def gone(self, name: bytes) -> None:
        """A chunk of the version before is not where it was."""
        if self.had and len(self._gone) < _GONE_MAX:
            self._gone.append(name)

    def in_place(self, told: bytes, name: bytes, length: int, following: Following) -> Runs:
        """How a chunk with these digests is made of the one that stood in its place; empty when no page is the same."""
        known = self._before(name, following) if self.had else b""
        if len(known) != len(told) or known[:2] != told[:2]:
            return ()
        first = int.from_bytes(told[:2], "big")
        runs: list[PatchRange] = []
        begin, same_from, place = 0, 0, 2
        for end in itertools.chain((first,) if first else (), range(first + PAGE, length, PAGE), (length,)):
            if known[place : place + DIGEST] != told[place : place + DIGEST]:
                if begin > same_from:
                    runs.append(PatchRange(name, same_from, begin - same_from))
                runs.append(PatchRange(b"", 0, end - begin))
                same_from = end
            begin, place = end, place + DIGEST
        if begin > same_from:
            runs.append(PatchRange(name, same_from, begin - same_from))
        return joined(runs)

    def told(self, view: memoryview, at: int) -> bytes:
        """The digests of a chunk that stands at ``at``."""
        return digests(view, at, self._seed)

    def beside(self, view: memoryview, at: int, old: Sequence[Placed], following: Following) -> Runs:
        """How the bytes at ``at`` are made of those chunks, page by page where they stood; empty when no page is the same."""
        if not self.had:
            return ()
        end, done = at + len(view), at
        runs: list[PatchRange] = []
        for start, length, name in old[:BASES_MAX]:
            for begin, size in self._same(view, at, start, length, self._before(name, following)):
                if start + begin > done:
                    runs.append(PatchRange(b"", 0, start + begin - done))
                runs.append(PatchRange(name, begin, size))
                done = start + begin + size
        if done < end:
            runs.append(PatchRange(b"", 0, end - done))
        return joined(runs)

    def _before(self, name: bytes, following: Following) -> bytes:
        """The digests of a chunk of the version before; empty when there are none."""
        if name not in self._asked:
            self._asked = frozenset((name, *following(_TOGETHER)))
            self._known = self._store.of(self._id, tuple(self._asked))
        return self._known.get(name, b"")

    def _same(self, view: memoryview, at: int, start: int, length: int, told: bytes) -> Iterator[tuple[int, int]]:
        """``(offset, length)`` of the pages of an old chunk that are the same, as far as they lie in the view."""
        place = 2
        for begin, size in _grid(int.from_bytes(told[:2], "big"), length) if told else ():
            offset = start + begin - at
            known, place = told[place : place + DIGEST], place + DIGEST
            if (
                0 <= offset
                and offset + size <= len(view)
                and known == xxh3_64_digest(view[offset : offset + size], self._seed)
            ):
                yield begin, size

    def found(self, name: bytes, told: bytes, runs: Runs) -> None:
        """A chunk with these digests is new, or stands where another stood."""
        self._worth_it = True
        self._note(name, told)
        if runs:
            self.patches[name] = runs

    def finish(self) -> None:
        """What was read is what is committed."""
        if not self._worth_it:
            return
        self._flush()
        self._store.drop(self._id, self._gone)

    def withdraw(self) -> None:
        """What was read is not committed."""
        self._store.withdraw(self._id, self._reading)

    def _note(self, name: bytes, told: bytes) -> None:
        self._new[name] = told
        if len(self._new) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._store.put(self._id, self._reading, list(self._new.items()))
        self._new.clear()


def is_mostly_there(runs: Runs, length: int) -> bool:
    """Whether at least half of a chunk stands where it stood: its borders still say something."""
    return bool(runs) and 2 * literal_bytes(runs) <= length
