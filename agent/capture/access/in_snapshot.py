"""Looks over a snapshot: entries and objects as they stand in it, told by the handles that they have in the tree itself.

What a snapshot does not show is another subvolume below the root, and what is mounted there. The latter is met as the mount that
it is; of the former ``SnapshotAccess.missed`` tells when a look comes to it, as what changed there is in no snapshot.
"""

from __future__ import annotations

import errno
import os
import stat

from agent.capture.access.kept_moment import KeptMoment
from agent.capture.access.seam import LIVE
from agent.capture.batch import TreeBatch
from agent.capture.directories import Directories
from agent.core.ids import ObjectId
from agent.fs.confined import OtherFilesystem
from agent.fs.dir_tree import DirTree
from agent.fs.handles import open_by_handle
from agent.fs.metadata import read_metadata
from agent.fs.snapshots.subvolume import ANOTHER_SUBVOLUME, subvolume_of
from agent.fs.walk import Listing

#: Of no mount: what is mounted at a place is told apart from the tree by this.
_ELSEWHERE = -1
_BLOCK = 512


class SnapshotAccess:
    """Answers from one snapshot. Satisfies ``FileAccess``. ``most``: so many bytes of content may be read for one moment, since
    they wait in memory for its commit. Belongs to the pump's thread."""

    fstat = staticmethod(os.fstat)
    readlink = staticmethod(os.readlink)
    metadata = staticmethod(read_metadata)
    listing = staticmethod(Listing)

    def __init__(self, kept: KeptMoment, most: int) -> None:
        #: Why what was looked at is not what stood there, in words; None while nothing says so.
        self.missed: str | None = None
        self._kept = kept
        self._left = most

    def stat(self, name: bytes, /, *, dir_fd: int, follow_symlinks: bool) -> os.stat_result:
        st = os.stat(name, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if st.st_ino == ANOTHER_SUBVOLUME and stat.S_ISDIR(st.st_mode):
            self.miss(f"{os.fsdecode(name)!r} is a subvolume of its own, which no snapshot of the one around it holds")
        return st

    def handle_of(self, dir_fd: int, name: bytes, /) -> bytes:
        return self._kept.living(LIVE.handle_of(dir_fd, name))

    def handle_and_mount(self, dir_fd: int, name: bytes, /) -> tuple[bytes, int]:
        handle, mount = LIVE.handle_and_mount(dir_fd, name)
        return self._kept.living(handle), _ELSEWHERE if handle in self._kept.covered else mount

    def handle_of_fd(self, fd: int, /) -> bytes:
        return self._kept.living(LIVE.handle_of_fd(fd))

    def open_file(self, dir_fd: int, name: bytes, /) -> int:
        fd = LIVE.open_file(dir_fd, name)
        st = os.fstat(fd)
        self._left -= min(st.st_size, st.st_blocks * _BLOCK)
        if self._left < 0:
            os.close(fd)
            self.miss("too much changes at once")
            raise OSError(errno.ESTALE, "there is no room for more of this moment", name)
        return fd

    def open_dir(self, dir_fd: int, name: bytes, /) -> int:
        fd = LIVE.open_dir(dir_fd, name)
        if LIVE.handle_of_fd(fd) in self._kept.covered:
            os.close(fd)
            raise OtherFilesystem(errno.EXDEV, "something is mounted here", name)
        return fd

    def miss(self, why: str) -> None:
        """What is looked at is not what stood there."""
        if self.missed is None:
            self.missed = why


class SnapshotDirectories(Directories):
    """Directories of a snapshot, each told by the handle of the living one. ``close`` leaves the root open."""

    def __init__(self, kept: KeptMoment, live: Directories, batch: TreeBatch, access: SnapshotAccess) -> None:
        self.root_fd = kept.root_fd
        self.unlistable: set[ObjectId] = set(live.unlistable)
        self.mount = live.mount
        self.can_locate = live.can_locate
        self.remote = live.remote
        self._batch = batch
        self._kept = kept
        self._access = access
        self._tree = DirTree(self.root_fd, self._locate_in_catalog, self._expected)
        self.fd = self._tree.fd
        self.adopt = self._tree.adopt

    def close(self) -> None:
        self._tree.close()

    def _expected(self, id: ObjectId) -> bytes | None:
        handle = super()._expected(id)
        return self._here(handle) if handle is not None else None

    def _by_handle(self, handle: bytes) -> int:
        return open_by_handle(self.root_fd, self._here(handle), os.O_PATH)

    def _here(self, handle: bytes) -> bytes:
        """A handle of the tree as the snapshot's; what is no object of the subvolume has the handle that it has."""
        if self._kept.is_of_subvolume(handle):
            return self._kept.here(handle)
        if subvolume_of(handle) is not None:
            self._access.miss("something stands in another subvolume, which no snapshot of the one around it holds")
        return handle
