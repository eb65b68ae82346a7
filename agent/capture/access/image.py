"""What stood at one moment: read while the filesystem stands still, looked at afterwards.

Reading (``ImageReader``) asks the filesystem only. It calls no SQLite, writes no log and waits for no lock, as our own state
may stand on what is frozen; content goes into memory that was locked before. What is read is what hints point at: their
entries, the way to them, the objects there. All else did not change since it was captured; who asks for it later (``frozen``)
is answered from the filesystem as it is then, if its times say that it did not change since the moment either.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.capture.exclude import Rules
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import OtherFilesystem, open_dir, open_file
from agent.fs.content import segments
from agent.fs.durable import timestamp_grain_ns
from agent.fs.handles import handle_and_mount, handle_of_fd, mount_of_fd, open_by_handle
from agent.fs.metadata import Metadata, read_metadata
from agent.watch.hint import Hint, Look

_SECOND = 1_000_000_000
#: CLOCK_REALTIME_COARSE (linux/time.h): what most filesystems stamp their times with.
_COARSE = 5


class ImageFull(Exception):
    """There is more to be read than may be, or it takes longer: what changed is not little enough yet."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """``bytes`` of content, ``objects``, ``directories`` among them, which stay open, and ``seconds`` of reading that an image
    may have."""

    bytes: int = 64 << 20
    objects: int = 20_000
    directories: int = 300
    seconds: float = 1.0


class Extent(NamedTuple):
    """``length`` bytes of a file from ``offset``, which stand in the image's memory from ``at``."""

    offset: int
    at: int
    length: int


@dataclass(slots=True)
class ImageObject:
    """An object as it stood. ``content``: of a regular file, holes left out; ``names``: of a directory that was listed; ``fd``:
    of a directory, open; ``path``: one at which it stood, relative to the root."""

    st: os.stat_result
    handle: bytes
    meta: Metadata
    path: bytes | None = None
    target: bytes = b""
    content: list[Extent] | None = None
    names: list[bytes] | None = None
    fd: int = -1


class ImageEntry(NamedTuple):
    """What stood at a name."""

    st: os.stat_result
    handle: bytes
    mount: int


@dataclass(slots=True)
class FrozenImage:
    """``entries`` by (handle of their directory, name), None where nothing stood; ``objects`` by handle; ``moment``: ns of the
    wall clock, no older time was stamped after it was thawed; ``memory``: content. ``close`` gives all back."""

    root_fd: int
    entries: dict[tuple[bytes, bytes], ImageEntry | None] = field(default_factory=dict)
    objects: dict[bytes, ImageObject] = field(default_factory=dict)
    moment: int = 0
    memory: memoryview = field(default_factory=lambda: memoryview(b""))

    def stood_since(self, st: os.stat_result) -> bool:
        """Whether an object with this stat has not changed since the moment."""
        return st.st_ctime_ns <= self.moment

    def bytes_of(self, extent: Extent) -> memoryview:
        """Content of a file."""
        return self.memory[extent.at : extent.at + extent.length]

    def close(self) -> None:
        """Close the directories that are held open, and let go of the memory."""
        for one in self.objects.values():
            if one.fd >= 0:
                os.close(one.fd)
        self.objects.clear()
        self.memory.release()


class LockedMemory:
    """Anonymous memory that the kernel keeps in place, so that filling it waits for no disk. Made before anything is frozen."""

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, size)
        anchor = ctypes.c_char.from_buffer(self._map)
        # Without the privilege, or beyond its limit, it is only touched once: that is nearly as good.
        if ctypes.CDLL(None).mlock(ctypes.c_void_p(ctypes.addressof(anchor)), ctypes.c_size_t(size)):
            for at in range(0, size, mmap.PAGESIZE):
                self._map[at] = 0
        del anchor
        self.view = memoryview(self._map)

    def close(self) -> None:
        """Give it back. Whoever has views of it has released them."""
        self.view.release()
        with suppress(BufferError):
            self._map.close()


class ImageReader:
    """Reads one image, while the filesystem stands still. ``since``: what changed before (ns of the wall clock) was captured.

    ``rules``: what they leave out is not read."""

    def __init__(self, root_fd: int, rules: Rules, memory: memoryview, since: int, limits: ImageLimits) -> None:
        self.image = FrozenImage(root_fd, memory=memory)
        self._rules = rules
        self._since = since
        self._limits = limits
        self._mount = mount_of_fd(root_fd)
        self._grain = timestamp_grain_ns(root_fd)
        self._root_path = os.readlink(b"/proc/self/fd/%d" % root_fd)
        self._used = 0
        self._deadline = 0.0
        self._subtrees: set[bytes] = set()
        self._directories = 0

    def read(self, hints: Iterable[Hint]) -> FrozenImage:
        """Everything that these point at. Raises ``ImageFull``; ``OSError`` when the root cannot be read."""
        self._deadline = time.monotonic() + self._limits.seconds
        now = time.time_ns()
        # Times of whole seconds (or more) tell the moment's own second from nothing.
        self.image.moment = now if self._grain < _SECOND else (now // self._grain) * self._grain - 1
        self._directory(b"", os.dup(self.image.root_fd))
        for hint in hints:
            self._hint(hint)
        self._until_later_times(now)
        return self.image

    def _until_later_times(self, moment: int) -> None:
        """What is stamped after the thaw must be later than the moment: filesystems stamp with the tick, which lags behind."""
        while time.clock_gettime_ns(_COARSE) <= moment:
            select.select((), (), (), 0.001)

    def _hint(self, hint: Hint) -> None:
        if hint.path:
            self._path(hint.path, hint.look)
        if hint.moved_from:
            self._path(hint.moved_from, Look.ENTRY)
        if hint.handle:
            self._by_handle(hint.handle)
        if hint.within:
            self._by_handle(hint.within)
            within = self.image.objects.get(hint.within)
            if within is not None and within.fd >= 0:
                self._entry(within, hint.path.rpartition(b"/")[2], within.path)

    def _path(self, path: bytes, look: Look) -> None:
        """The way to an entry, and the entry."""
        here: ImageObject | None = self.image.objects.get(handle_of_fd(self.image.root_fd))
        for name in path.split(b"/"):
            if here is None or here.fd < 0:
                return
            here = self._entry(here, name, here.path)
        if here is not None and here.fd >= 0 and look is not Look.ENTRY:
            self._list(here, below=look is Look.SUBTREE)

    def _entry(
        self, directory: ImageObject, name: bytes, above: bytes | None, *, unread: bool = False
    ) -> ImageObject | None:
        """What stands at a name, read; None where nothing does that counts. ``unread``: its content only if it changed of
        late."""
        key = directory.handle, name
        if key in self.image.entries:
            known = self.image.entries[key]
            return self.image.objects.get(known.handle) if known is not None else None
        if not above and name == PRIVATE_DIR:
            return None
        self._require_room(0)
        path = None if above is None else above + b"/" + name if above else name
        try:
            st = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
            handle, mount = handle_and_mount(directory.fd, name)
        except FileNotFoundError:
            self.image.entries[key] = None
            return None
        self.image.entries[key] = ImageEntry(st, handle, mount)
        if mount != self._mount or (path is not None and self._rules and self._is_excluded(path, st)):
            return None
        if handle in self.image.objects:
            return self.image.objects[handle]
        return self._object(directory.fd, name, st, handle, path, unread=unread and st.st_ctime_ns < self._since)

    def _is_excluded(self, path: bytes, st: os.stat_result) -> bool:
        return self._rules.excluded(path, stat.S_ISDIR(st.st_mode))

    def _object(
        self, dir_fd: int, name: bytes, st: os.stat_result, handle: bytes, path: bytes | None, *, unread: bool
    ) -> ImageObject | None:
        """An object by its name. What cannot be read is left out: whoever asks for it meets the same error."""
        kind = stat.S_IFMT(st.st_mode)
        try:
            if kind == stat.S_IFDIR:
                return self._directory(path, open_dir(dir_fd, name))
            if kind == stat.S_IFREG:
                return None if unread else self._file(open_file(dir_fd, name), path)
            target = os.readlink(name, dir_fd=dir_fd) if kind == stat.S_IFLNK else b""
            made = ImageObject(st, handle, read_metadata(dir_fd, name, st, None), path, target)
        except (OtherFilesystem, PermissionError):
            return None
        self.image.objects[handle] = made
        return made

    def _directory(self, path: bytes | None, fd: int) -> ImageObject:
        """A directory, which stays open: what comes later may not find it by its name any more."""
        try:
            st, handle = os.fstat(fd), handle_of_fd(fd)
            made = ImageObject(st, handle, read_metadata(-1, b"", st, fd), path, fd=fd)
        except OSError:
            os.close(fd)
            raise
        self.image.objects[handle] = made
        self._directories += 1
        if self._directories > self._limits.directories:
            raise ImageFull("too many directories change at once")
        return made

    def _file(self, fd: int, path: bytes | None) -> ImageObject:
        try:
            st = os.fstat(fd)
            made = ImageObject(st, handle_of_fd(fd), read_metadata(-1, b"", st, fd), path, content=[])
            self._content(fd, made)
        finally:
            os.close(fd)
        self.image.objects[made.handle] = made
        return made

    def _content(self, fd: int, made: ImageObject) -> None:
        for is_data, offset, length in segments(fd, made.st.st_size):
            if is_data:
                self._require_room(length)
                end = self._used + length
                got = os.preadv(fd, [self.image.memory[self._used : end]], offset)
                while got < length:
                    more = os.preadv(fd, [self.image.memory[self._used + got : end]], offset + got)
                    if not more:
                        raise ImageFull("a file was cut while nothing could be written")
                    got += more
                assert made.content is not None
                made.content.append(Extent(offset, self._used, length))
                self._used = end

    def _list(self, directory: ImageObject, *, below: bool) -> None:
        """The names of a directory and what stands there; ``below``: in every directory below too, all of it read."""
        if directory.handle in self._subtrees or (directory.names is not None and not below):
            return
        if below:
            self._subtrees.add(directory.handle)
        try:
            with os.scandir(b"/proc/self/fd/%d" % directory.fd) as found:
                directory.names = [entry.name for entry in found]
        except PermissionError:
            return
        for name in directory.names:
            found_there = self._entry(directory, name, directory.path, unread=not below)
            if below and found_there is not None and found_there.fd >= 0:
                self._list(found_there, below=True)

    def _by_handle(self, handle: bytes) -> None:
        """An object wherever it is, if it is below the root or has several names."""
        if handle in self.image.objects:
            return
        self._require_room(0)
        try:
            pinned = open_by_handle(self.image.root_fd, handle, os.O_PATH)
        except OSError:
            return
        try:
            st, where = os.fstat(pinned), os.readlink(b"/proc/self/fd/%d" % pinned)
            inside = where == self._root_path or where.startswith(self._root_path.rstrip(b"/") + b"/")
            kind = stat.S_IFMT(st.st_mode)
            if kind == stat.S_IFDIR and inside and st.st_nlink:
                path = where[len(self._root_path.rstrip(b"/")) + 1 :]
                self._directory(path, open_by_handle(self.image.root_fd, handle, os.O_RDONLY | os.O_DIRECTORY))
            elif kind == stat.S_IFREG and st.st_ctime_ns >= self._since and (inside or st.st_nlink > 1):
                flags = os.O_RDONLY | os.O_NOATIME | os.O_NONBLOCK
                self._file(open_by_handle(self.image.root_fd, handle, flags), None)
        except OSError:
            return
        finally:
            os.close(pinned)

    def _require_room(self, length: int) -> None:
        too_much = self._used + length > min(self._limits.bytes, len(self.image.memory))
        if too_much or len(self.image.entries) + len(self.image.objects) > self._limits.objects:
            raise ImageFull("too much changes at once")
        if time.monotonic() > self._deadline:
            raise ImageFull("what changes takes too long to read")
