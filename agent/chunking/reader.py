"""One open file → its chunk list, the chunks that are new in it, and the prints for the next time.

A known file is compared in place first: where the ``xxh3_128`` of the bytes under an old chunk is that chunk's print, the
chunk keeps its name unhashed. What differs keeps its borders while half of its pages stand where they stood
(``chunking.pages``), or, where that is not known, while few neighbours differ and the size is the same; else it is cut anew,
until a cut falls on an old border again.

``LocalRow.prints`` is the print of the chunk list (it binds the rest to that version: ``local.db`` may lag behind the
catalog after a crash) and then one of each data chunk in order, 16 bytes each; empty for a file of a single chunk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Set
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from blake3 import blake3
from xxhash import xxh3_128_digest

from agent.chunking.cutter import FINE, Cut, Cutter, first_cut, kept_cut
from agent.chunking.list_builder import Folding
from agent.chunking.old_chunks import PRINT, Earlier, OldChunks
from agent.chunking.pages import PageReader, is_mostly_there
from agent.chunking.window import FileReads, FileWindow
from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk, PiecesAhead
from agent.core.patch import PatchRange, Runs
from agent.fs.content import segments

#: Files up to this size are one chunk: nothing is cut below it.
WHOLE = FINE.least
#: New files up to this size are read by one call, and cut into no more chunks than a flat list holds.
SMALL = 512 << 10
#: Files above this size are large: they are read in slices ahead of their commit, and written in steps beside later ones.
LARGE = 16 << 20
NONE: Runs = ()
SLICE = 4 << 20
#: After so many differing neighbours the old borders say nothing any more.
_RUN = 8
#: Parts of a list that are known to be those of the version before; others are told once more.
_REMEMBERED = 65_536

#: ``(name, kind, data)``
Found = tuple[bytes, int, bytes]


class Content(NamedTuple):
    """What was read: the canonical chunk list, how many bytes it describes, and the prints to keep."""

    chunks: bytes
    size: int
    prints: bytes = b""


def read_at_once(data: bytes, seed: int, cutter: Cutter) -> tuple[Content, list[Found]]:
    """Content of a new file without holes, all of whose bytes are ``data`` (at most ``SMALL``), and its chunks."""
    if len(data) <= WHOLE:
        name = blake3(data).digest()
        return Content(chunks.encode_one(len(data), name), len(data)), [(name, DATA, data)]
    view, at = memoryview(data), 0
    listed, prints = b"", b""
    found: list[Found] = []
    for length in cutter.lengths(view, FINE):
        part = data if length == len(data) else data[at : at + length]
        name = blake3(part).digest()
        listed += chunks.encode_one(length, name)
        prints += xxh3_128_digest(part, seed)
        found.append((name, DATA, part))
        at += length
    return Content(listed, len(data), xxh3_128_digest(listed, seed) + prints if len(found) > 1 else b""), found


class OneChunk(NamedTuple):
    """A file that was one chunk and is again: its content, the chunk where it is another one, and how that is made of the old."""

    content: Content
    found: list[Found]
    runs: Runs = NONE


def one_chunk_again(data: bytes, was: bytes) -> OneChunk | None:
    """A known file of at most ``WHOLE`` bytes without holes, all of which are ``data``; ``was``: its chunk list. None where the
    version before was anything but one chunk. The same as a ``ContentReader`` without pages finds, in far fewer calls."""
    old = chunks.decode_one(was)
    if old is None:
        return None
    length, name = old
    # A digest that is asked for on the way says whether the file was only added to, at no cost.
    hasher = blake3(data[:length])
    begins_as = hasher.digest()
    is_longer = len(data) > length
    now = hasher.update(data[length:]).digest() if is_longer else begins_as
    content = Content(chunks.encode_one(len(data), now), len(data))
    if now == name:
        return OneChunk(content, [])
    return OneChunk(content, [(now, DATA, data)], _more(name, length, len(data)) if begins_as == name else NONE)


def _more(name: bytes, length: int, size: int) -> Runs:
    """How a chunk of ``size`` bytes is made of a shorter one that it begins with."""
    return PatchRange(name, 0, length), PatchRange(b"", 0, size - length)


@dataclass(frozen=True, slots=True)
class ReaderTools:
    """What every read of a dataset's files works with. ``seed``: of prints; ``cutter``: of the reading thread; ``piece`` gives a
    stored part of a chunk list; ``reads``: how files are read; ``ahead``: see ``chunks.unfold``."""

    seed: int
    cutter: Cutter
    piece: Callable[[bytes], bytes]
    reads: FileReads = os
    ahead: PiecesAhead | None = None


class ContentReader:
    """Reads one open file once. :meth:`slices` does the work; between its steps ``found`` (chunks, pieces) and ``patches`` (how
    some of them are made of chunks of the version before, by name) are to be emptied. After it: :meth:`settle`."""

    def __init__(
        self,
        fd: int,
        size: int,
        tools: ReaderTools,
        earlier: Earlier | None,
        pages: PageReader | None = None,
    ) -> None:
        self._pages = pages
        self.patches: dict[bytes, Runs] = {} if pages is None else pages.patches
        self.found: list[Found] = []
        self.pieces: list[tuple[bytes, bytes]] = []
        self._fd, self._size, self._seed, self._cutter = fd, size, tools.seed, tools.cutter
        self._window = FileWindow(fd, min(size, SLICE), tools.reads)
        #: After about so many bytes there is a step.
        self.slice = SLICE
        # Not by a method: a reader that holds itself would keep its window until garbage is looked for.
        earlier_pieces = _Opened(tools.piece)
        self._folding = Folding(partial(_keep_piece, self.found, self.pieces, earlier_pieces.names))
        self._prints = bytearray()
        self._old = OldChunks(earlier, tools.seed, size, earlier_pieces.read, pages, tools.ahead)
        self._cut = self._chosen_cut(earlier, earlier_pieces.read, tools.ahead)
        self._run = 0
        self._ended = False

    def slices(self) -> Generator[int, None, Content]:
        """Read to ``size``, or less where the file ends before; yields bytes gone over, about every 4 MiB."""
        at = 0
        for is_data, offset, length in segments(self._fd, self._size):
            if is_data:
                at = yield from self._segment(offset, offset + length)
            else:
                self._folding.add(Chunk(HOLE, length))
                at = offset + length
            if self._ended:
                break
        self._old.end()
        listed = self._folding.finish()
        prints = xxh3_128_digest(listed, self._seed) + bytes(self._prints) if len(self._prints) > PRINT else b""
        return Content(listed, at, prints)

    def settle(self, committed: bool) -> None:
        """What was read is to be committed, or was read in vain; the latter also after the former, or without an end."""
        if self._pages is not None and committed:
            self._pages.finish()
        elif self._pages is not None:
            self._pages.withdraw()

    def _chosen_cut(self, earlier: Earlier | None, piece: Callable[[bytes], bytes], ahead: PiecesAhead | None) -> Cut:
        if earlier is None:
            return first_cut(self._size)
        return kept_cut(chunks.unfold(earlier.chunks, piece, ahead), self._size)

    def _segment(self, at: int, end: int) -> Generator[int, None, int]:
        reported = at
        self._run = 0
        while at < end and not self._ended:
            moved = self._compare(at, end) or self._cut_some(at, end)
            at += moved
            if at - reported >= self.slice:
                yield at - reported
                reported = at
        return at

    def _compare(self, at: int, end: int) -> int:
        """Go over the old chunk that begins here; 0 when there is none to go by."""
        old = self._old.starting(at, end)
        if old is None:
            return 0
        length, name, was = old
        view = self._window.view(at, length, end)[:length]
        if len(view) < length:
            return 0
        now = xxh3_128_digest(view, self._seed)
        if now == was or (not was and blake3(view).digest() == name):
            self._run = 0
            self._folding.add(Chunk(DATA, length, name))
            self._prints += now
            self._old.keep()
            if self._pages is not None:
                self._pages.kept(name, view, at)
            return length
        told, runs = b"", NONE
        if self._pages is not None:
            told = self._pages.told(view, at)
            runs = self._pages.in_place(told, name, length, self._old.following)
        if not is_mostly_there(runs, length):
            if not self._old.same_size or self._run >= _RUN or (self._pages is not None and self._pages.had):
                return 0
            self._run += 1
        self._add(view, now, told, runs)
        return length

    def _cut_some(self, at: int, end: int) -> int:
        """Cut from here as far as the window shows, or to the next border that an old chunk has too."""
        view = self._window.view(at, min(end - at, 2 * self._cut.most), end)
        if len(view) > self.slice:
            view = view[: max(self.slice, 2 * self._cut.most)]
        last = at + len(view) >= end
        if not last and len(view) < 2 * self._cut.most:
            last = self._ended = True
        done = 0
        for length in self._cutter.lengths(view, self._cut):
            if done and not last and done + length == len(view):
                break
            part, start = view[done : done + length], at + done
            told, runs = b"", NONE
            if self._pages is not None:
                told = self._pages.told(part, start)
                runs = self._pages.beside(part, start, self._old.under(start, start + length), self._old.following)
            runs = self._grown(part, start) or runs
            self._add(part, None, told, runs)
            done += length
            if done >= self.slice or self._old.starting(at + done, end) is not None:
                self._ended = self._ended and done == len(view)
                break
        return done

    def _grown(self, part: memoryview, start: int) -> Runs:
        """How a chunk is made of the last one of the version before, where that was only added to: for this nothing need be
        known of its pages, and no page is told for a line in it."""
        last = self._old.last_at(start)
        if last is None or last[0] >= len(part) or blake3(part[: last[0]]).digest() != last[1]:
            return NONE
        return _more(last[1], last[0], len(part))

    def _add(self, view: memoryview, known_print: bytes | None, told: bytes, runs: Runs) -> None:
        name = blake3(view).digest()
        self._folding.add(Chunk(DATA, len(view), name))
        self._prints += known_print or xxh3_128_digest(view, self._seed)
        self.found.append((name, DATA, bytes(view)))
        if self._pages is not None:
            self._pages.found(name, told, runs)
        elif runs:
            self.patches[name] = runs


def _keep_piece(
    found: list[Found], pieces: list[tuple[bytes, bytes]], known: Set[bytes], name: bytes, data: bytes
) -> None:
    if name not in known:
        found.append((name, PIECE, data))
        pieces.append((name, data))


class _Opened:
    """Reads parts of the list of the version before, and knows ``names`` of them. They are opened where the read is, so that a
    part which did not change is known by the time when it is whole again."""

    def __init__(self, piece: Callable[[bytes], bytes]) -> None:
        self._piece = piece
        self.names: set[bytes] = set()

    def read(self, name: bytes) -> bytes:
        if len(self.names) >= _REMEMBERED:
            self.names.clear()
        self.names.add(name)
        return self._piece(name)
