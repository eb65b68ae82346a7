"""One entry → its object row, with content and local facts, into the batch."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence
from enum import Enum

from agent.capture.batch import Name, TreeBatch
from agent.capture.directories import Directories
from agent.capture.files.changing_files import ChangingFiles
from agent.capture.files.hard_links import Linked
from agent.capture.files.new_files import FreshFiles
from agent.capture.files.read_budget import SPARED, Spared
from agent.capture.outlet import Room
from agent.capture.path_problems import PathProblems
from agent.capture.refused import may_pass
from agent.capture.remote import stat_of_mount
from agent.chunking.cutter import Cutter
from agent.chunking.pages import CHANGED_PAGED, PAGED, PageReader
from agent.chunking.reader import SLICE, SMALL, Content, ContentReader, Earlier, Found, read_at_once
from agent.chunking.stat_trust import is_clean, kept_ctime, unchanged
from agent.core.clock import Clock
from agent.core.errors import Damaged
from agent.core.ids import ROOT, ObjectId
from agent.core.row_checks import encode_captured
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import OtherFilesystem, open_dir, open_file
from agent.fs.content import read_exact
from agent.fs.durable import has_silent_stores, timestamp_grain_ns
from agent.fs.handles import handle_of, handle_of_fd
from agent.fs.metadata import Metadata, read_metadata
from agent.store.catalog.catalog import Catalog
from agent.store.local import LocalRow

#: Files above this size are read in slices, ahead of their commit.
LARGE = 16 << 20
#: Files up to this size may go where others wait for the link.
_TINY = 4 << 10
#: How the handle begins that stands for one of a mount point's.
MOUNT_HANDLE = b"\0mount"


class Outcome(Enum):
    """What became of looking at one entry's object."""

    #: It is in the batch, or as the catalog has it.
    DONE = "done"
    #: It changed while it was looked at, or something else stands there now: look again.
    AGAIN = "again"
    #: It cannot be read, and that was said.
    UNREADABLE = "unreadable"
    #: It is to be read in slices.
    LARGE = "large"
    #: It is, but somebody is writing it just now: look again.
    WRITTEN = "written"
    #: It is small, and the link is busy: look again when there is room.
    LATER = "later"


class Objects:
    """Captures single objects. ``synced_at``: when the ``syncfs`` began that precedes what is looked at now (ns; 0: none)."""

    def __init__(
        self,
        batch: TreeBatch,
        catalog: Catalog,
        directories: Directories,
        problems: PathProblems,
        clock: Clock,
        seed: int,
        linked: Linked,
    ) -> None:
        self.linked = linked
        self.restless = ChangingFiles()
        self.spared = Spared()
        self.synced_at = 0
        self.bytes_read = 0
        #: What a slow link has room for; None: whatever there is. And bytes that were new in the last one to wait for it.
        self.room: Room | None = None
        self.waits = 0
        self._batch = batch
        self._catalog = catalog
        self._directories = directories
        self._problems = problems
        self._clock = clock
        self._seed = seed
        self._cutter = Cutter()
        self._grain = timestamp_grain_ns(directories.root_fd)
        self._pages = batch.pages(seed)
        self._silent_stores = has_silent_stores(directories.root_fd)
        self.fresh = FreshFiles(batch, directories, clock, seed, self._grain, self._silent_stores)

    def capture(
        self, id: ObjectId, was: bytes | None, parent: ObjectId, name: bytes, st: os.stat_result, handle: bytes
    ) -> Outcome:
        """Bring an object into the batch from its entry; ``was``: its row, None for a new one."""
        kind = stat.S_IFMT(st.st_mode)
        try:
            if kind == stat.S_IFREG:
                if st.st_size > LARGE or (was is None and self._is_too_much(st.st_size)):
                    if not self.is_ahead(st.st_size):
                        return self._later(st.st_size)
                    is_written = self.restless.is_being_written(handle, st, self._clock.now_ns())
                    return Outcome.WRITTEN if is_written else Outcome.LARGE
                if st.st_size >= SPARED and self.spared.due((parent, name)) > self._clock.monotonic():
                    return Outcome.LARGE
                return self._file(id, was, parent, name, st, handle)
            if kind == stat.S_IFDIR:
                return self._directory(id, was, parent, name, handle)
            return self._other(id, was, parent, name, st, handle)
        except OSError as error:
            return self._failed(parent, name, error)

    @property
    def slice(self) -> int:
        """Bytes of a large file to be read before something else gets a turn."""
        return SLICE if self.room is None else min(SLICE, self.room.moment)

    def is_ahead(self, size: int) -> bool:
        """Whether a file goes ahead of its commit in which so many bytes are new."""
        return size > LARGE or (self.room is not None and size > self.room.moment)

    def _is_too_much(self, size: int) -> bool:
        """Whether the link has no room for so many more bytes with the commit in hand; half of it is for what is tiny."""
        room = self.room
        if room is None:
            return False
        more = room.moment if size <= _TINY else 0
        return size > room.moment or size > room.now + more - self._batch.bytes

    def _later(self, size: int) -> Outcome:
        self.waits = size
        return Outcome.LATER

    def spared_until(self, name: Name) -> tuple[float, float]:
        """When a file may be read again, and now; monotonic seconds."""
        return self.spared.due(name), self._clock.monotonic()

    def waiting(self) -> tuple[int, float]:
        """How many bytes are new in what is to wait for the link, and now; monotonic seconds."""
        return self.waits, self._clock.monotonic()

    def _failed(self, parent: ObjectId, name: bytes, error: OSError) -> Outcome:
        if may_pass(error):
            return Outcome.AGAIN
        self._problems.unreadable(self._batch.path(parent, name), error)
        return Outcome.UNREADABLE

    def is_as_read(self, id: ObjectId, st: os.stat_result) -> bool:
        """Whether this is the stat of a file as it was read last, but for its ctime, which each further name moves too."""
        fact = self._batch.fact(id)
        return fact is not None and (fact.ino, fact.mtime, fact.size) == (st.st_ino, st.st_mtime_ns, st.st_size)

    def named(self, id: ObjectId, parent: ObjectId, name: bytes, st: os.stat_result) -> bool:
        """A known file has got or lost a name, and no more is said of it: that alone changes its ctime, and is no reason to read
        it. False, and nothing done, when more is different. What no event tells is found by the next reconcile: it reads it."""
        was, fact = self._batch.object(id), self._batch.fact(id)
        if was is None or fact is None or not self.is_as_read(id, st) or not stat.S_ISREG(st.st_mode):
            return False
        try:
            fd = open_file(self._directories.fd(parent), name)
            try:
                meta = read_metadata(-1, b"", st, fd)
                handle, after = handle_of_fd(fd), os.fstat(fd)
            finally:
                os.close(fd)
            row = decode_object(was)
            row = row._replace(mode=meta.mode, uid=meta.uid, gid=meta.gid, mtime=meta.mtime)
            encoded = encode_captured(row._replace(flags=meta.flags, xattrs=meta.xattrs))
        except OSError:
            return False
        if handle != fact.handle or not unchanged(st, after):
            return False
        self._put(id, was, encoded, st, 0, handle, fact.prints)
        return True

    def root(self) -> None:
        """The root directory's own object."""
        fd = self._directories.root_fd
        self._put_directory(ROOT, self._batch.object(ROOT), fd, handle_of_fd(fd))

    def directory_again(self, id: ObjectId) -> None:
        """Look at the metadata of a directory whose entries changed. OSError when it is gone or cannot be read."""
        fd = self._directories.fd(id)
        st = os.fstat(fd)
        fact = self._batch.fact(id)
        if fact is None or (st.st_ctime_ns, st.st_mtime_ns) != (fact.ctime, fact.mtime):
            self._put_directory(id, self._batch.object(id), fd, handle_of_fd(fd))

    def open_slices(
        self, was: bytes | None, id: ObjectId | None, fd: int, size: int
    ) -> tuple[ContentReader, Generator[int, None, Content]]:
        """A reader of a large file and its run. ``id``: that of a new one too, if its pages are to be known."""
        is_paged = id is not None and size >= (PAGED if was is None else CHANGED_PAGED)
        pages = PageReader(self._pages, id, self._seed, was is not None, size < PAGED) if id and is_paged else None
        reader = ContentReader(fd, size, self._seed, self._cutter, self._earlier(id, was), self.piece, pages)
        return reader, reader.slices()

    def finish_file(
        self,
        id: ObjectId,
        was: bytes | None,
        meta: Metadata,
        st: os.stat_result,
        read_at: int,
        handle: bytes,
        content: Content,
    ) -> None:
        """The row and facts of a file that was read whole."""
        row = ObjectRow(
            id, meta.mode, meta.uid, meta.gid, meta.mtime, meta.flags, content.size, 0, meta.xattrs, content.chunks
        )
        self._put(id, was, encode_captured(row), st, read_at, handle, content.prints)

    def piece(self, name: bytes) -> bytes:
        """A stored chunk list. Raises ``Damaged`` when the catalog lost it."""
        stored = self._batch.pieces.get(name) or self._catalog.piece(name)
        if stored is None:
            raise Damaged("read a chunk list", name.hex(), "the catalog has no such piece", "move the catalog away")
        return stored

    # --- regular files

    def _file(
        self, id: ObjectId, was: bytes | None, parent: ObjectId, name: bytes, st: os.stat_result, handle: bytes
    ) -> Outcome:
        fd = open_file(self._directories.fd(parent), name)
        try:
            read_at = self._clock.now_ns()
            meta = read_metadata(-1, b"", st, fd)
            content, found, reader = self._read(id, was, fd, st.st_size)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        moved = not unchanged(st, after)
        if moved and (after.st_ino != st.st_ino or after.st_dev != st.st_dev):
            return Outcome.AGAIN
        if moved or self.restless:
            if self.restless.is_read_again(handle, moved):
                return Outcome.AGAIN
            if moved:
                read_at = 0
                self.say_restless(parent, name)
        if not moved:
            self._problems.well(lambda: self._batch.path(parent, name))
        if was is not None and self.room is not None:
            new = _new_bytes(found, reader)
            if self._is_too_much(new):
                if reader is not None:
                    reader.settle(committed=False)
                self.waits = new
                return Outcome.LARGE if self.is_ahead(new) else Outcome.LATER
        self.bytes_read += content.size
        if was is not None and content.size >= SPARED:
            self.spared.read((parent, name), content.size, self._clock.monotonic())
        self._batch.add_chunks(found)
        if reader is not None:
            self._batch.pieces.update(reader.pieces)
            self._batch.patches.update(reader.patches)
            reader.settle(committed=True)
        self.finish_file(id, was, meta, st, read_at, handle, content)
        return Outcome.DONE

    def say_restless(self, parent: ObjectId, name: bytes) -> None:
        """The next commit holds a file that was taken as read."""
        self._batch.fuzzy += 1
        self._problems.restless(self._batch.path(parent, name))

    def _read(
        self, id: ObjectId, was: bytes | None, fd: int, size: int
    ) -> tuple[Content, list[Found], ContentReader | None]:
        """All of a file at once. It may be at most ``LARGE``. The reader, where there was need of one."""
        if not size:
            return Content(b"", 0), [], None
        if was is None and size <= SMALL and first_hole(fd) >= size:
            return *read_at_once(read_exact(fd, 0, size), self._seed, self._cutter), None
        reader, slices = self.open_slices(was, id, fd, size)
        while True:
            try:
                next(slices)
            except StopIteration as end:
                return end.value, reader.found, reader

    def _earlier(self, id: ObjectId | None, was: bytes | None) -> Earlier | None:
        if was is None or id is None:
            return None
        row = decode_object(was)
        if not row.content:
            return None
        fact = self._batch.fact(id)
        return Earlier(row.content, row.size, fact.prints if fact is not None else b"")

    # --- everything else

    def _directory(self, id: ObjectId, was: bytes | None, parent: ObjectId, name: bytes, handle: bytes) -> Outcome:
        try:
            fd = open_dir(self._directories.fd(parent), name)
        except OtherFilesystem:
            return self._mount(id, was, parent, name)
        try:
            if handle_of_fd(fd) != handle:
                return Outcome.AGAIN
            self._put_directory(id, was, fd, handle)
            # Whether it can be listed is known only by listing it; what cannot be is said by the walk.
            kept, fd = fd, -1
            self._directories.adopt(id, kept)
        finally:
            if fd >= 0:
                os.close(fd)
        self._problems.well(lambda: self._batch.path(parent, name))
        return Outcome.DONE

    def _put_directory(self, id: ObjectId, was: bytes | None, fd: int, handle: bytes) -> None:
        read_at = self._clock.now_ns()
        st = os.fstat(fd)
        meta = read_metadata(-1, b"", st, fd)
        row = ObjectRow(id, meta.mode, meta.uid, meta.gid, meta.mtime, meta.flags, 0, 0, meta.xattrs)
        self._put(id, was, encode_captured(row), st, read_at, handle, b"")

    def _mount(self, id: ObjectId, was: bytes | None, parent: ObjectId, name: bytes) -> Outcome:
        """A mount point is an empty directory. Its handle belongs to another filesystem, so it gets one that none has."""
        path, fd = self._batch.path(parent, name), self._directories.fd(parent)
        remote = self._directories.remote.stands_at(path)
        st = stat_of_mount(fd) if remote else os.stat(name, dir_fd=fd, follow_symlinks=False)
        row = ObjectRow(id, st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns)
        self._problems.mount(path, is_dir=True)
        self._put(id, was, encode_captured(row), st, 0, mount_handle(parent, name), b"")
        return Outcome.DONE

    def _other(
        self, id: ObjectId, was: bytes | None, parent: ObjectId, name: bytes, st: os.stat_result, handle: bytes
    ) -> Outcome:
        """Symlinks, fifos, device nodes: nothing is opened."""
        fd = self._directories.fd(parent)
        read_at = self._clock.now_ns()
        target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(st.st_mode) else b""
        meta = read_metadata(fd, name, st, None)
        after = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if not unchanged(st, after) or handle_of(fd, name) != handle:
            return Outcome.AGAIN
        row = ObjectRow(id, meta.mode, meta.uid, meta.gid, meta.mtime, 0, 0, meta.rdev, meta.xattrs, target)
        self._problems.well(lambda: self._batch.path(parent, name))
        self._put(id, was, encode_captured(row), st, read_at, handle, b"")
        return Outcome.DONE

    def _put(
        self,
        id: ObjectId,
        was: bytes | None,
        row: bytes,
        st: os.stat_result,
        read_at: int,
        handle: bytes,
        prints: bytes,
    ) -> None:
        if was is None:
            self._batch.add_object(id, row)
        else:
            self._batch.put_object(id, row, was)
        self.linked.note(id, handle, st.st_mode, st.st_nlink)
        ctime = st.st_ctime_ns
        clean = read_at > 0 and is_clean(ctime, self.synced_at, self._grain)
        if clean and self._silent_stores and st.st_size and stat.S_ISREG(st.st_mode):
            clean = False
        kept = ctime if clean else kept_ctime(ctime, read_at, self._grain)
        self._batch.set_fact(LocalRow(id, handle, st.st_ino, kept, st.st_mtime_ns, st.st_size, clean, prints))


def first_hole(fd: int) -> int:
    """Where the first hole of a file begins: at its end when it has none; 0 when that is to be found out otherwise."""
    try:
        return os.lseek(fd, 0, os.SEEK_HOLE)
    except OSError:
        return 0


def mount_handle(parent: ObjectId, name: bytes) -> bytes:
    """What stands for the handle of a directory that something is mounted on."""
    return MOUNT_HANDLE + parent.to_bytes(8, "big") + name


def _new_bytes(found: Sequence[Found], reader: ContentReader | None) -> int:
    """About how many bytes are to be sent of what was found: little of what is made of chunks of the version before."""
    patches = reader.patches if reader is not None else {}
    return sum(min(len(data), _TINY) if name in patches else len(data) for name, _, data in found)
