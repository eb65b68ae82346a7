"""One entry → its object row, with content and local facts, into the batch."""

from __future__ import annotations

import os
import stat
from enum import Enum
from typing import NamedTuple

from agent.capture.batch import Name
from agent.capture.files.changing_files import ChangingFiles
from agent.capture.files.contents import FileContents, WholeRead
from agent.capture.files.hard_links import Linked
from agent.capture.files.link_room import LinkRoom, new_bytes
from agent.capture.files.new_files import FreshFiles
from agent.capture.files.read_budget import SPARED, Spared
from agent.capture.open_tree import Entry, OpenTree
from agent.capture.refused import may_pass
from agent.capture.remote import stat_of_mount
from agent.chunking.reader import LARGE, Content, ContentReader
from agent.chunking.stat_trust import is_clean, kept_ctime, unchanged
from agent.core.ids import ROOT, ObjectId
from agent.core.row_checks import encode_captured
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import OtherFilesystem
from agent.fs.durable import has_silent_stores, timestamp_grain_ns
from agent.fs.metadata import Metadata
from agent.store.local import LocalRow

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


class Sighting(NamedTuple):
    """How an object was seen: its stat and handle, when reading began and when the ``syncfs`` before it did (ns of the kernel's
    wall clock; 0: nothing is to be believed of the stat, and no sync)."""

    st: os.stat_result
    handle: bytes
    read_at: int
    synced_at: int = 0


class Objects:
    """Captures single objects; ``contents`` reads them. ``bytes_read`` rises with all content that is read at once.

    ``reads_all``: nothing is put off, however large it is, and no file is new in a way that spares looking."""

    def __init__(self, tree: OpenTree, contents: FileContents, linked: Linked, *, reads_all: bool = False) -> None:
        self.contents = contents
        self._reads_all = reads_all
        self.linked = linked
        self.restless = ChangingFiles()
        self.spared = Spared()
        self.link = LinkRoom()
        self.bytes_read = 0
        self._batch = tree.batch
        self._directories = tree.directories
        self._problems = tree.problems
        self._clock = tree.clock
        access = tree.access
        self._open_file, self._open_dir, self._stat, self._fstat = (
            access.open_file,
            access.open_dir,
            access.stat,
            access.fstat,
        )
        self._metadata, self._readlink = access.metadata, access.readlink
        self._handle_of, self._handle_of_fd = access.handle_of, access.handle_of_fd
        root_fd = tree.directories.root_fd
        self._grain = timestamp_grain_ns(root_fd)
        self._silent_stores = has_silent_stores(root_fd)
        self.fresh = FreshFiles(tree, contents.tools, self._grain, self._silent_stores)

    def capture(self, id: ObjectId, was: bytes | None, entry: Entry) -> Outcome:
        """Bring an object into the batch from its entry; ``was``: its row, None for a new one."""
        kind = stat.S_IFMT(entry.st.st_mode)
        try:
            if kind == stat.S_IFREG:
                put_off = None if self._reads_all else self._put_off(was, entry)
                return put_off or self._file(id, was, entry)
            if kind == stat.S_IFDIR:
                return self._directory(id, was, entry)
            return self._other(id, was, entry)
        except OSError as error:
            return self._failed(entry, error)

    def _put_off(self, was: bytes | None, entry: Entry) -> Outcome | None:
        """Why a regular file is not read now; None when it is."""
        size = entry.st.st_size
        if size > LARGE or (was is None and self.link.is_too_much(size, self._batch.bytes)):
            if not self.link.is_ahead(size):
                return self._later(size)
            is_written = self.restless.is_being_written(entry.handle, entry.st, self._clock.now_ns())
            return Outcome.WRITTEN if is_written else Outcome.LARGE
        if size >= SPARED and self.spared.due(entry.place) > self._clock.monotonic():
            return Outcome.LARGE
        return None

    def _later(self, size: int) -> Outcome:
        self.link.waits = size
        return Outcome.LATER

    def spared_until(self, name: Name) -> tuple[float, float]:
        """When a file may be read again, and now; monotonic seconds."""
        return self.spared.due(name), self._clock.monotonic()

    def waiting(self) -> tuple[int, float]:
        """How many bytes are new in what is to wait for the link, and now; monotonic seconds."""
        return self.link.waits, self._clock.monotonic()

    def _failed(self, entry: Entry, error: OSError) -> Outcome:
        if may_pass(error):
            return Outcome.AGAIN
        self._problems.unreadable(self._batch.path(*entry.place), error)
        return Outcome.UNREADABLE

    def is_as_read(self, id: ObjectId, st: os.stat_result) -> bool:
        """Whether this is the stat of a file as it was read last, but for its ctime, which each further name moves too."""
        fact = self._batch.fact(id)
        return fact is not None and (fact.ino, fact.mtime, fact.size) == (st.st_ino, st.st_mtime_ns, st.st_size)

    def named(self, id: ObjectId, entry: Entry) -> bool:
        """A known file has got or lost a name, and no more is said of it: that alone changes its ctime, and is no reason to read
        it. False, and nothing done, when more is different. What no event tells is found by the next reconcile: it reads it."""
        st = entry.st
        was, fact = self._batch.object(id), self._batch.fact(id)
        if was is None or fact is None or not self.is_as_read(id, st) or not stat.S_ISREG(st.st_mode):
            return False
        try:
            fd = self._open_file(self._directories.fd(entry.parent), entry.name)
            try:
                meta = self._metadata(-1, b"", st, fd)
                handle, after = self._handle_of_fd(fd), self._fstat(fd)
            finally:
                os.close(fd)
            row = decode_object(was)
            row = row._replace(mode=meta.mode, uid=meta.uid, gid=meta.gid, mtime=meta.mtime)
            encoded = encode_captured(row._replace(flags=meta.flags, xattrs=meta.xattrs))
        except OSError:
            return False
        if handle != fact.handle or not unchanged(st, after):
            return False
        self._put(id, was, encoded, Sighting(st, handle, 0), fact.prints)
        return True

    def root(self) -> None:
        """The root directory's own object."""
        fd = self._directories.root_fd
        self._put_directory(ROOT, self._batch.object(ROOT), fd, self._handle_of_fd(fd))

    def directory_again(self, id: ObjectId) -> None:
        """Look at the metadata of a directory whose entries changed. OSError when it is gone or cannot be read."""
        fd = self._directories.fd(id)
        st = self._fstat(fd)
        fact = self._batch.fact(id)
        if fact is None or (st.st_ctime_ns, st.st_mtime_ns) != (fact.ctime, fact.mtime):
            self._put_directory(id, self._batch.object(id), fd, self._handle_of_fd(fd))

    def finish_file(
        self,
        id: ObjectId,
        was: bytes | None,
        meta: Metadata,
        sighting: Sighting,
        content: Content,
    ) -> None:
        """The row and facts of a file that was read whole."""
        row = ObjectRow(
            id, meta.mode, meta.uid, meta.gid, meta.mtime, meta.flags, content.size, 0, meta.xattrs, content.chunks
        )
        self._put(id, was, encode_captured(row), sighting, content.prints)

    # --- regular files

    def _file(self, id: ObjectId, was: bytes | None, entry: Entry) -> Outcome:
        st = entry.st
        fd = self._open_file(self._directories.fd(entry.parent), entry.name)
        try:
            read_at = self._clock.now_ns()
            meta = self._metadata(-1, b"", st, fd)
            read = self.contents.read_whole(id, was, fd, st.st_size)
            after = self._fstat(fd)
        finally:
            os.close(fd)
        moved = not unchanged(st, after)
        if moved and (after.st_ino != st.st_ino or after.st_dev != st.st_dev):
            return Outcome.AGAIN
        if moved or self.restless:
            if self.restless.is_read_again(entry.handle, moved):
                return Outcome.AGAIN
            if moved:
                read_at = 0
                self.say_restless(entry.place)
        if not moved:
            self._problems.well(lambda: self._batch.path(*entry.place))
        if was is not None and self.link.room is not None:
            new = new_bytes(read.found, read.patches)
            if self.link.is_too_much(new, self._batch.bytes):
                return self._read_in_vain(read.reader, new)
        if was is not None and read.content.size >= SPARED:
            self.spared.read(entry.place, read.content.size, self._clock.monotonic())
        self._keep(read)
        self.finish_file(id, was, meta, Sighting(st, entry.handle, read_at, entry.synced_at), read.content)
        return Outcome.DONE

    def _read_in_vain(self, reader: ContentReader | None, new: int) -> Outcome:
        """There is more new in a changed file than the link has room for."""
        if reader is not None:
            reader.settle(committed=False)
        self.link.waits = new
        return Outcome.LARGE if self.link.is_ahead(new) else Outcome.LATER

    def _keep(self, read: WholeRead) -> None:
        """Content goes into the batch."""
        self.bytes_read += read.content.size
        self._batch.add_chunks(read.found)
        if read.patches:
            self._batch.patches.update(read.patches)
        if read.reader is not None:
            self._batch.pieces.update(read.reader.pieces)
            read.reader.settle(committed=True)

    def say_restless(self, place: Name) -> None:
        """The next commit holds a file that was taken as read."""
        self._batch.fuzzy += 1
        self._problems.restless(self._batch.path(*place))

    # --- everything else

    def _directory(self, id: ObjectId, was: bytes | None, entry: Entry) -> Outcome:
        try:
            fd = self._open_dir(self._directories.fd(entry.parent), entry.name)
        except OtherFilesystem:
            return self._mount(id, was, entry)
        try:
            if self._handle_of_fd(fd) != entry.handle:
                return Outcome.AGAIN
            self._put_directory(id, was, fd, entry.handle, entry.synced_at)
            # Whether it can be listed is known only by listing it; what cannot be is said by the walk.
            kept, fd = fd, -1
            self._directories.adopt(id, kept)
        finally:
            if fd >= 0:
                os.close(fd)
        self._problems.well(lambda: self._batch.path(*entry.place))
        return Outcome.DONE

    def _put_directory(self, id: ObjectId, was: bytes | None, fd: int, handle: bytes, synced_at: int = 0) -> None:
        read_at = self._clock.now_ns()
        st = self._fstat(fd)
        meta = self._metadata(-1, b"", st, fd)
        row = ObjectRow(id, meta.mode, meta.uid, meta.gid, meta.mtime, meta.flags, 0, 0, meta.xattrs)
        self._put(id, was, encode_captured(row), Sighting(st, handle, read_at, synced_at))

    def _mount(self, id: ObjectId, was: bytes | None, entry: Entry) -> Outcome:
        """A mount point is an empty directory. Its handle belongs to another filesystem, so it gets one that none has."""
        path, fd = self._batch.path(*entry.place), self._directories.fd(entry.parent)
        remote = self._directories.remote.stands_at(path)
        st = stat_of_mount(fd) if remote else os.stat(entry.name, dir_fd=fd, follow_symlinks=False)
        row = ObjectRow(id, st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns)
        self._problems.mount(path, is_dir=True)
        self._put(id, was, encode_captured(row), Sighting(st, mount_handle(*entry.place), 0))
        return Outcome.DONE

    def _other(self, id: ObjectId, was: bytes | None, entry: Entry) -> Outcome:
        """Symlinks, fifos, device nodes: nothing is opened."""
        st, name, fd = entry.st, entry.name, self._directories.fd(entry.parent)
        read_at = self._clock.now_ns()
        target = self._readlink(name, dir_fd=fd) if stat.S_ISLNK(st.st_mode) else b""
        meta = self._metadata(fd, name, st, None)
        after = self._stat(name, dir_fd=fd, follow_symlinks=False)
        if not unchanged(st, after) or self._handle_of(fd, name) != entry.handle:
            return Outcome.AGAIN
        row = ObjectRow(id, meta.mode, meta.uid, meta.gid, meta.mtime, 0, 0, meta.rdev, meta.xattrs, target)
        self._problems.well(lambda: self._batch.path(*entry.place))
        self._put(id, was, encode_captured(row), Sighting(st, entry.handle, read_at, entry.synced_at))
        return Outcome.DONE

    def _put(self, id: ObjectId, was: bytes | None, row: bytes, sighting: Sighting, prints: bytes = b"") -> None:
        st, handle, read_at, synced_at = sighting
        if was is None:
            self._batch.add_object(id, row)
        else:
            self._batch.put_object(id, row, was)
        self.linked.note(id, handle, st.st_mode, st.st_nlink)
        ctime = st.st_ctime_ns
        clean = read_at > 0 and is_clean(ctime, synced_at, self._grain)
        if clean and self._silent_stores and st.st_size and stat.S_ISREG(st.st_mode):
            clean = False
        kept = ctime if clean else kept_ctime(ctime, read_at, self._grain)
        self._batch.set_fact(LocalRow(id, handle, st.st_ino, kept, st.st_mtime_ns, st.st_size, clean, prints))


def mount_handle(parent: ObjectId, name: bytes) -> bytes:
    """What stands for the handle of a directory that something is mounted on."""
    return MOUNT_HANDLE + parent.to_bytes(8, "big") + name
