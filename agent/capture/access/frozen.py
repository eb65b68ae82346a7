"""Looks over an image: entries and objects as they stood at its moment, for the same capture that looks at what stands there now.

What the image lacks did not change between its last capture and the moment. It is read as it is now, and believed only if its
times say that it has not changed since either; else ``FrozenAccess.missed`` names it, and what was captured is to be thrown away.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from agent.capture.access.image import FrozenImage, ImageEntry, ImageObject
from agent.capture.access.seam import LIVE
from agent.capture.batch import TreeBatch
from agent.capture.directories import Directories
from agent.core.ids import ROOT, ObjectId
from agent.fs.content import pwrite_all
from agent.fs.handles import open_by_handle
from agent.fs.metadata import Metadata
from agent.fs.walk import Listing


class _Opened(NamedTuple):
    """An unnamed file in memory that stands for one of the image; its number tells it from a later file with its descriptor."""

    number: tuple[int, int]
    object: ImageObject


class FrozenAccess:
    """Answers from one image. Satisfies ``FileAccess``. Belongs to the pump's thread."""

    def __init__(self, image: FrozenImage) -> None:
        #: Why what was looked at is not what stood there: the first thing that had to be known and changed since the moment.
        self.missed: str | None = None
        self._image = image
        self._opened: dict[int, _Opened] = {}

    def stat(self, name: bytes, /, *, dir_fd: int, follow_symlinks: bool) -> os.stat_result:
        return self._at(dir_fd, name).st

    def handle_of(self, dir_fd: int, name: bytes, /) -> bytes:
        return self._at(dir_fd, name).handle

    def handle_and_mount(self, dir_fd: int, name: bytes, /) -> tuple[bytes, int]:
        found = self._at(dir_fd, name)
        return found.handle, found.mount

    def readlink(self, name: bytes, /, *, dir_fd: int) -> bytes:
        known = self._image.objects.get(self._at(dir_fd, name).handle)
        return known.target if known is not None else os.readlink(name, dir_fd=dir_fd)

    def open_file(self, dir_fd: int, name: bytes, /) -> int:
        known = self._image.objects.get(self._at(dir_fd, name).handle)
        if known is None or known.content is None:
            return LIVE.open_file(dir_fd, name)
        fd = os.memfd_create("frozen", os.MFD_CLOEXEC)
        os.ftruncate(fd, known.st.st_size)
        for extent in known.content:
            pwrite_all(fd, self._image.bytes_of(extent), extent.offset)
        self._opened[fd] = _Opened(_number(fd), known)
        return fd

    def open_dir(self, dir_fd: int, name: bytes, /) -> int:
        known = self._image.objects.get(self._at(dir_fd, name).handle)
        return os.dup(known.fd) if known is not None and known.fd >= 0 else LIVE.open_dir(dir_fd, name)

    def fstat(self, fd: int, /) -> os.stat_result:
        known = self._of(fd)
        return known.st if known is not None else self._believed(os.fstat(fd), b"an open object")

    def handle_of_fd(self, fd: int, /) -> bytes:
        known = self._of(fd)
        return known.handle if known is not None else LIVE.handle_of_fd(fd)

    def metadata(self, dir_fd: int, name: bytes, st: os.stat_result, fd: int | None, /) -> Metadata:
        known = self._of(fd) if fd is not None else self._image.objects.get(self._at(dir_fd, name).handle)
        return known.meta if known is not None else LIVE.metadata(dir_fd, name, st, fd)

    def listing(self, dir_fd: int, scratch: str | None, /) -> Listing:
        known = self._of(dir_fd)
        if known is not None and known.names is not None:
            return Listing.of(known.names)
        self._believed(os.fstat(dir_fd), b"a directory")
        return Listing(dir_fd, scratch)

    def _at(self, dir_fd: int, name: bytes) -> ImageEntry:
        """What stood at a name. FileNotFoundError where nothing did."""
        key = LIVE.handle_of_fd(dir_fd), name
        if key in self._image.entries:
            found = self._image.entries[key]
            if found is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            return found
        self._believed(os.fstat(dir_fd), b"the directory of " + name)
        st = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        handle, mount = LIVE.handle_and_mount(dir_fd, name)
        known = self._image.objects.get(handle)
        return ImageEntry(known.st if known is not None else self._believed(st, name), handle, mount)

    def _of(self, fd: int) -> ImageObject | None:
        """The object of the image that a descriptor is of."""
        opened = self._opened.get(fd)
        if opened is not None and opened.number == _number(fd):
            return opened.object
        return self._image.objects.get(LIVE.handle_of_fd(fd))

    def _believed(self, st: os.stat_result, what: bytes) -> os.stat_result:
        if self.missed is None and not self._image.stood_since(st):
            self.missed = f"{what.decode(errors='backslashreplace')} has changed meanwhile"
        return st


class FrozenDirectories(Directories):
    """Directories of the image, by their handles: their names may lead elsewhere by now. ``close`` leaves the root open."""

    def __init__(self, image: FrozenImage, live: Directories, batch: TreeBatch) -> None:
        self.root_fd = live.root_fd
        self.unlistable: set[ObjectId] = set(live.unlistable)
        self.mount = live.mount
        self.can_locate = live.can_locate
        self.remote = live.remote
        self._batch = batch
        self._image = image
        self._fds: dict[ObjectId, int] = {}
        self.fd = self._fd
        self.adopt = self._adopt

    def forget(self, id: ObjectId) -> None:
        fd = self._fds.pop(id, None)
        if fd is not None:
            os.close(fd)
        self.unlistable.discard(id)

    def let_go(self) -> None:
        for id in list(self._fds):
            self.forget(id)

    def close(self) -> None:
        self.let_go()

    def locate_handle(self, handle: bytes) -> bytes | None:
        known = self._image.objects.get(handle)
        return known.path if known is not None and known.path else super().locate_handle(handle)

    def _fd(self, object_id: ObjectId) -> int:
        if object_id == ROOT:
            return self.root_fd
        if object_id not in self._fds:
            self._fds[object_id] = self._opened(object_id)
        return self._fds[object_id]

    def _opened(self, id: ObjectId) -> int:
        handle = self._expected(id)
        if handle is None:
            raise FileNotFoundError(errno.ENOENT, f"no known place for object {id}")
        known = self._image.objects.get(handle)
        if known is not None and known.fd >= 0:
            return os.dup(known.fd)
        return open_by_handle(self.root_fd, handle, os.O_RDONLY | os.O_DIRECTORY)

    def _adopt(self, object_id: ObjectId, fd: int) -> None:
        self.forget(object_id)
        self._fds[object_id] = fd


def _number(fd: int) -> tuple[int, int]:
    st = os.fstat(fd)
    return st.st_dev, st.st_ino
