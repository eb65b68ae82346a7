"""Reading an adopted tree once: every regular file is cut and named exactly as a primary does at its first capture.

Files whose stat is as it was when they were read before are passed over, so a walk that was cut short goes on where it was.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import structlog

from agent.adopt.placements import KnownFile, Placements
from agent.apply.ports import LeftOut
from agent.chunking.cutter import Cutter
from agent.chunking.reader import SMALL, Content, ContentReader, ReaderTools, read_at_once
from agent.chunking.stat_trust import RACY, is_clean, unchanged
from agent.core import chunks
from agent.core.clock import Clock
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import open_dir, open_root
from agent.fs.content import first_hole, read_exact
from agent.fs.durable import has_silent_stores, sync_filesystem, timestamp_grain_ns
from agent.fs.expected import BY_HANDLE
from agent.fs.handles import handle_of, handle_of_fd, is_mounted
from agent.fs.walk import entries

_BATCH_FILES = 500
_BATCH_CHUNKS = 5_000
#: So many files with several names are read once; what is beyond is read at each name.
_ONCE = 100_000
_NO_SEED = 0
_log = structlog.get_logger("adopt")

#: Keeps a part of a long chunk list, and gives it back: ``(name, bytes)``, ``name``.
KeepPiece = Callable[[bytes, bytes], None]
ReadPiece = Callable[[bytes], bytes]


@dataclass(slots=True)
class Indexer:
    """One walk over the tree at ``path``; for one thread. ``keep`` and ``piece``: the vault, for parts of long chunk lists."""

    path: str
    places: Placements
    keep: KeepPiece
    piece: ReadPiece
    clock: Clock
    left_out: LeftOut
    _cutter: Cutter = field(default_factory=Cutter)
    _batch: list[tuple[KnownFile, list[tuple[bytes, int, int]]]] = field(default_factory=list)
    _chunks: int = 0
    _synced_at: int = 0
    _grain: int = 0
    _silent: bool = False
    #: Files with several names that this walk has read, by handle, with the ctime (ns) that they had: not read at the others.
    _read_once: dict[bytes, int] = field(default_factory=dict)

    def run(self) -> Iterator[int]:
        """Walk; yields bytes read, at least every 4 MiB and every directory. Raises what the stores raise, and ``OSError``
        when the root cannot be read; what else cannot be read is left out, since the primary has it."""
        root = open_root(self.path)
        try:
            self._synced_at = self.clock.now_ns()
            sync_filesystem(root)
            self._grain = timestamp_grain_ns(root)
            self._silent = has_silent_stores(root)
            pending = [b""]
            while pending:
                yield from self._directory(root, pending.pop(), pending)
            self._flush()
            self.places.set_indexed()
        finally:
            os.close(root)

    def _directory(self, root: int, path: bytes, pending: list[bytes]) -> Iterator[int]:
        try:
            fd = open_below(root, path)
        except OSError as error:
            _log.warning("a directory of the adopted tree cannot be read", path=path, reason=error.strerror)
            return
        try:
            for name in entries(fd):
                if not path and name == PRIVATE_DIR:
                    continue
                yield from self._entry(fd, path, name, pending)
        except OSError as error:
            _log.warning("a directory of the adopted tree cannot be read", path=path, reason=error.strerror)
        finally:
            os.close(fd)
        yield 0

    def _entry(self, fd: int, path: bytes, name: bytes, pending: list[bytes]) -> Iterator[int]:
        below = path + b"/" + name if path else name
        try:
            if is_mounted(fd, name):
                return
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if self.left_out(below, stat.S_ISDIR(st.st_mode)):
                return
            if stat.S_ISDIR(st.st_mode):
                pending.append(below)
            elif stat.S_ISREG(st.st_mode) and st.st_size:
                yield from self._file(fd, name, below)
        except OSError as error:
            _log.warning("a file of the adopted tree cannot be read", path=below, reason=error.strerror)

    def _file(self, dir_fd: int, name: bytes, path: bytes) -> Iterator[int]:
        fd = BY_HANDLE.open(dir_fd, name, handle_of(dir_fd, name))
        try:
            before = os.fstat(fd)
            handle = handle_of_fd(fd)
            known = self.places.by_handle(handle)
            if known is not None and known[1].is_unchanged(before):
                return
            if self._read_once.get(handle) == before.st_ctime_ns:
                return
            content = yield from self._read(fd, before.st_size)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        ctime = before.st_ctime_ns
        if before.st_nlink > 1 and len(self._read_once) < _ONCE:
            self._read_once[handle] = ctime
        vouched = unchanged(before, after) and is_clean(ctime, self._synced_at, self._grain) and not self._silent
        file = KnownFile(
            path, handle, before.st_ino, content.size, before.st_mtime_ns, ctime if vouched else RACY, content.chunks
        )
        self._add(file)

    def _read(self, fd: int, size: int) -> Generator[int, None, Content]:
        if size <= SMALL and first_hole(fd) >= size:
            whole, _ = read_at_once(read_exact(fd, 0, size), _NO_SEED, self._cutter)
            yield whole.size
            return whole
        reader = ContentReader(fd, size, ReaderTools(_NO_SEED, self._cutter, self.piece), None)
        slices = reader.slices()
        while True:
            try:
                done = next(slices)
            except StopIteration as end:
                self._keep(reader)
                content: Content = end.value
                return content
            self._keep(reader)
            yield done

    def _keep(self, reader: ContentReader) -> None:
        """A chunk's bytes stay where they are; parts of a chunk list stand in no file."""
        for name, data in reader.pieces:
            self.keep(name, data)
        reader.found.clear()
        reader.pieces.clear()

    def _add(self, file: KnownFile) -> None:
        found: list[tuple[bytes, int, int]] = []
        offset = 0
        for entry in chunks.unfold(file.content, self.piece):
            if entry.kind == chunks.DATA:
                found.append((entry.name, offset, entry.length))
            offset += entry.length
        self._batch.append((file, found))
        self._chunks += len(found)
        if len(self._batch) >= _BATCH_FILES or self._chunks >= _BATCH_CHUNKS:
            self._flush()

    def _flush(self) -> None:
        self.places.add(self._batch)
        self._batch, self._chunks = [], 0


def open_below(root: int, path: bytes) -> int:
    """A directory by its path from the root, no link followed, no mount crossed. OSError."""
    fd = os.dup(root)
    for name in path.split(b"/") if path else ():
        try:
            inner = open_dir(fd, name)
        finally:
            os.close(fd)
        fd = inner
    return fd
