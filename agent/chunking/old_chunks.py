"""The chunks that a file had in its earlier version: where each stood, and what is known of it beside its name."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from agent.chunking.pages import PageReader, Placed
from agent.core import chunks
from agent.core.chunks import DATA, PiecesAhead

#: Bytes of a print.
PRINT = 16


@dataclass(frozen=True, slots=True)
class Earlier:
    """The version that the catalog has: chunk list, size, and ``LocalRow.prints``."""

    chunks: bytes
    size: int
    prints: bytes


@dataclass(slots=True)
class _Old:
    """A data chunk of the earlier version: its place, its print or b"", and whether it only ended because the file did."""

    start: int
    length: int
    name: bytes
    print: bytes
    cut_short: bool
    kept: bool = False


class OldChunks:
    """The data chunks of the earlier version in file order, with their prints where those belong to that version."""

    def __init__(
        self,
        earlier: Earlier | None,
        seed: int,
        size: int,
        piece: Callable[[bytes], bytes],
        pages: PageReader | None = None,
        ahead: PiecesAhead | None = None,
    ) -> None:
        self.same_size = earlier is not None and earlier.size == size
        self._pages = pages
        self._rest = self._placed(earlier, seed, size, piece, ahead) if earlier is not None else iter(())
        self._ahead: deque[_Old] = deque()

    def starting(self, at: int, end: int) -> tuple[int, bytes, bytes] | None:
        """``(length, name, print or b"")`` of the old chunk that begins at ``at`` and ends by ``end``. ``at`` never falls."""
        self._pass(at)
        first = self._ahead[0] if self._ahead else None
        if first is None or first.start != at or at + first.length > end or first.cut_short:
            return None
        return first.length, first.name, first.print

    def last_at(self, at: int) -> tuple[int, bytes] | None:
        """Length and name of the old chunk that begins at ``at``, if it is the last of a file that grew. ``at`` never falls."""
        self._pass(at)
        first = self._ahead[0] if self._ahead else None
        return (first.length, first.name) if first is not None and first.start == at and first.cut_short else None

    def keep(self) -> None:
        """The chunk that :meth:`starting` gave is there again."""
        self._ahead[0].kept = True

    def under(self, at: int, end: int) -> list[Placed]:
        """The old chunks that stood in a range; ``at`` never falls."""
        self._pass(at)
        while not self._ahead or self._ahead[-1].start < end:
            if not self._pull():
                break
        return [(o.start, o.length, o.name) for o in itertools.takewhile(lambda old: old.start < end, self._ahead)]

    def following(self, count: int) -> list[bytes]:
        """Names of the old chunks from where the last question was, at most so many."""
        while len(self._ahead) < count and self._pull():
            pass
        return [old.name for old in itertools.islice(self._ahead, count)]

    def _pull(self) -> bool:
        """Take one more chunk of the list of the version before; whether there was one."""
        following = next(self._rest, None)
        if following is not None:
            self._ahead.append(following)
        return following is not None

    def end(self) -> None:
        """The file ends here, and what the earlier version held beyond is gone."""
        if self._pages is not None:
            for old in itertools.chain(self._ahead, self._rest):
                self._leave(old)

    def _pass(self, at: int) -> None:
        """Leave what ended before ``at``; something that ends later is at hand, if there is any."""
        while True:
            if not self._ahead and not self._pull():
                return
            if self._ahead[0].start + self._ahead[0].length > at:
                return
            self._leave(self._ahead.popleft())

    def _leave(self, old: _Old) -> None:
        if not old.kept and self._pages is not None:
            self._pages.gone(old.name)

    @staticmethod
    def _placed(
        earlier: Earlier, seed: int, size: int, piece: Callable[[bytes], bytes], ahead: PiecesAhead | None
    ) -> Iterator[_Old]:
        prints = earlier.prints
        if prints[:PRINT] != xxh3_128_digest(earlier.chunks, seed):
            prints = b""
        at, print_at = 0, PRINT
        for entry in chunks.unfold(earlier.chunks, piece, ahead):
            if entry.kind == DATA:
                # The last chunk of a file that grew ended only because the file did.
                cut_short = at + entry.length >= earlier.size and size > earlier.size
                yield _Old(at, entry.length, entry.name, prints[print_at : print_at + PRINT], cut_short)
                print_at += PRINT
            at += entry.length
