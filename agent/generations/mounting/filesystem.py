"""A shown history as FUSE asks for it: by paths and handles. Read-only, but for images that take writes; one thread."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from agent.core.errors import HikaeError, NotFound, TryAgain
from agent.core.recent_map import RecentMap
from agent.generations.mounting.attributes import Attributes
from agent.generations.mounting.content import FileContent
from agent.generations.mounting.nodes import DirectoryEntry, MomentNode, OpenedFile, ShownNode

_P = ParamSpec("_P")
_R = TypeVar("_R")

_BLOCK = 4096
#: FUSE_CAP_POSIX_ACL (fuse_common.h).
_POSIX_ACL = 1 << 19
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class FilesystemLimits:
    """``known``: paths whose entry is remembered, so that who lists a directory and asks for each is answered from memory."""

    known: int = 4096


def _answered(act: Callable[_P, _R]) -> Callable[_P, _R]:
    """The number that a program is told for what an operator reads in words."""

    def answered(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return act(*arguments, **named)
        except HikaeError as error:
            filesystem = arguments[0]
            assert isinstance(filesystem, HistoryFilesystem)
            filesystem.trouble(str(arguments[1]), error)
            number = errno.ESTALE if isinstance(error, NotFound) else errno.EIO
            raise OSError(errno.EAGAIN if isinstance(error, TryAgain) else number, str(error)) from error

    return answered


class OpenDirectory:
    """A directory that is being listed: a page of it is in memory, and offsets count its entries."""

    def __init__(self, node: ShownNode) -> None:
        self._node = node
        self._base = 0
        self._page: list[DirectoryEntry] = []

    def at(self, index: int) -> DirectoryEntry | None:
        """An entry; None behind the last one. Going on costs a page now and then, going back a new beginning."""
        if index < self._base or not self._page:
            self._base, self._page = 0, self._node.entries(b"")
        while self._page and index >= self._base + len(self._page):
            after = self._page[-1].name
            self._base += len(self._page)
            self._page = self._node.entries(after)
        return self._page[index - self._base] if self._page else None


class HistoryFilesystem:
    """``top``: what is mounted; ``content``: of a regular file that is opened; ``size``: bytes and entries of all, for ``df``;
    ``mounted`` is called once programs can use it; ``trouble`` with the path of what could not be read, and why."""

    #: Times are whole nanoseconds.
    use_ns = True

    def __init__(
        self,
        top: ShownNode,
        content: Callable[[OpenedFile], FileContent],
        size: Callable[[], tuple[int, int]],
        mounted: Callable[[], None],
        trouble: Callable[[str, HikaeError], None],
        limits: FilesystemLimits | None = None,
    ) -> None:
        self._top = top
        self._content = content
        self._size = size
        self._mounted = mounted
        self.trouble = trouble
        self._known = RecentMap[bytes, ShownNode]((limits or FilesystemLimits()).known)
        self._files: dict[int, tuple[FileContent, Callable[[], None]]] = {}
        self._directories: dict[int, OpenDirectory] = {}
        self._last_handle = 0
        self.was_mounted = False
        #: Whether the kernel checks who may look, by modes and access lists. Stands before it is mounted.
        self.checked = False

    def init_with_config(self, connection: Any, _config: Any) -> None:  # Any: structures of libfuse
        """It is mounted."""
        if self.checked:
            # By the bits of a mode alone the owning group would have what the list's mask lets others have.
            connection.want |= connection.capable & _POSIX_ACL
        self.was_mounted = True
        self._mounted()

    def destroy(self, _path: str) -> None:
        """It is mounted no more."""
        for handle in list(self._files):
            self.release("", handle)

    # --- metadata

    @_answered
    def getattr(self, path: str, _handle: int | None = None) -> Attributes:
        """``stat``."""
        return self._node(path).attributes()

    @_answered
    def readlink(self, path: str) -> str:
        """Where a symbolic link points to."""
        node = self._node(path)
        if isinstance(node, MomentNode):
            if node.row.kind != stat.S_IFLNK:
                raise OSError(errno.EINVAL, "no symbolic link")
            return os.fsdecode(node.row.content)
        target = getattr(node, "target", None)
        if target is None:
            raise OSError(errno.EINVAL, "no symbolic link")
        return os.fsdecode(target())

    @_answered
    def listxattr(self, path: str) -> list[str]:
        """The names of extended attributes."""
        return [os.fsdecode(name) for name, _ in self._xattrs(path)]

    @_answered
    def getxattr(self, path: str, name: str, _position: int = 0) -> bytes:
        """The value of one."""
        wanted = os.fsencode(name)
        for found, value in self._xattrs(path):
            if found == wanted:
                return value
        raise OSError(errno.ENODATA, "no such attribute")

    def _xattrs(self, path: str) -> tuple[tuple[bytes, bytes], ...]:
        node = self._node(path)
        return node.row.xattrs if isinstance(node, MomentNode) else ()

    @_answered
    def statfs(self, _path: str) -> dict[str, int]:
        """What ``df`` shows: all is taken, nothing is free."""
        size, entries = self._size()
        blocks = {"f_bsize": _BLOCK, "f_frsize": _BLOCK, "f_blocks": -(-size // _BLOCK), "f_bfree": 0, "f_bavail": 0}
        return {**blocks, "f_files": entries, "f_ffree": 0, "f_favail": 0, "f_namemax": _LONGEST_NAME}

    # --- directories

    @_answered
    def opendir(self, path: str) -> int:
        """A handle of a directory."""
        node = self._node(path)
        if not stat.S_ISDIR(node.attributes()["st_mode"]):
            raise OSError(errno.ENOTDIR, "no directory")
        handle = self._handle()
        self._directories[handle] = OpenDirectory(node)
        return handle

    def releasedir(self, _path: str, handle: int) -> int:
        """The handle is not used any more."""
        self._directories.pop(handle, None)
        return 0

    def readdir_with_offset(self, path: str, offset: int, handle: int) -> Iterator[tuple[str, dict[str, int], int]]:
        """Entries from an offset on, each with the offset behind it, until nobody takes more."""
        above, directory = os.fsencode(path).rstrip(b"/"), self._directories[handle]
        index = offset
        for name in (".", "..")[index:2]:
            index += 1
            yield name, {"st_mode": stat.S_IFDIR}, index
        while (entry := self._listed(path, directory, index - 2)) is not None:
            index += 1
            if entry.node is not None:
                self._known.remember(above + b"/" + entry.name, entry.node)
            yield os.fsdecode(entry.name), {"st_mode": entry.mode, "st_ino": entry.inode}, index

    @_answered
    def _listed(self, _path: str, directory: OpenDirectory, index: int) -> DirectoryEntry | None:
        return directory.at(index)

    # --- content

    @_answered
    def open(self, path: str, flags: int) -> int:
        """A handle of a regular file; its moment stays whole as long as it is open."""
        file = self._node(path).opened()
        if file is None:
            raise OSError(errno.EOPNOTSUPP, "no regular file")
        if flags & os.O_ACCMODE != os.O_RDONLY and file.over is None:
            raise OSError(errno.EROFS, "history is read-only")
        release = file.hold()
        handle = self._handle()
        self._files[handle] = self._content(file), release
        return handle

    @_answered
    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        """A range of an open file."""
        return self._files[handle][0].read(offset, size)

    @_answered
    def write(self, _path: str, data: bytes, offset: int, handle: int) -> int:
        """Lay data over a range of an open file."""
        return self._files[handle][0].write(offset, data)

    def truncate(self, _path: str, length: int, _handle: int | None = None) -> int:
        """No image gets longer or shorter."""
        raise OSError(errno.EPERM, "a moment is as long as it was")

    def fsync(self, _path: str, _datasync: int, _handle: int) -> int:
        """What is written goes with the mount: nothing of it is to be made durable."""
        return 0

    def release(self, _path: str, handle: int) -> int:
        """The handle is not used any more."""
        content, release = self._files.pop(handle, (None, None))
        if content is not None and release is not None:
            content.close()
            release()
        return 0

    # --- paths

    def _node(self, path: str) -> ShownNode:
        """What stands at a path. Raises ``OSError`` where nothing does."""
        whole = os.fsencode(path).rstrip(b"/")
        node = self._known.get(whole)
        return node if node is not None else self._walked(whole)

    def _walked(self, whole: bytes) -> ShownNode:
        """From the nearest directory above that is known, down."""
        names: list[bytes] = []
        node: ShownNode | None = None
        at = whole
        while at and (node := self._known.get(at)) is None:
            at, _, name = at.rpartition(b"/")
            names.append(name)
        node = node or self._top
        for name in reversed(names):
            at += b"/" + name
            node = node.child(name)
            if node is None:
                raise OSError(errno.ENOENT, "nothing stands there")
            if node.lasts():
                self._known.remember(at, node)
        return node

    def _handle(self) -> int:
        self._last_handle += 1
        return self._last_handle
