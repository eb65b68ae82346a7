"""Directories by object id, and where in the filesystem an object is now."""

from __future__ import annotations

import os
from collections.abc import Callable

from agent.capture.batch import TreeBatch
from agent.capture.remote import RemoteMounts
from agent.core.ids import ObjectId
from agent.fs.dir_tree import DirTree
from agent.fs.handles import can_open_by_handle, mount_of_fd, mount_of_path, open_by_handle


class Directories:
    """The open root and everything reached from it. Belongs to the pump's thread; ``close`` closes the root too."""

    def __init__(self, root_fd: int, batch: TreeBatch, can_locate: Callable[[int], bool] = can_open_by_handle) -> None:
        self.root_fd = root_fd
        #: Those that could not be listed when they were walked last.
        self.unlistable: set[ObjectId] = set()
        #: Through which the root is seen: what is seen through another one is none of ours.
        self.mount = mount_of_fd(root_fd)
        #: Whether an object can be asked where it is; else moves are found by seeing both ends.
        self.can_locate = can_locate(root_fd)
        #: What may never answer.
        self.remote = RemoteMounts(os.readlink(b"/proc/self/fd/%d" % root_fd))
        self._batch = batch
        self._tree = DirTree(root_fd, self._locate_in_catalog, self._expected)
        self.fd = self._tree.fd
        self.adopt = self._tree.adopt

    def forget(self, id: ObjectId) -> None:
        """An object is gone."""
        self._tree.forget(id)
        self.unlistable.discard(id)

    def let_go(self) -> None:
        """Close every directory but the root: nothing is to be done for now. They are opened again as they are needed."""
        self._tree.close()

    def close(self) -> None:
        """Close every descriptor."""
        self._tree.close()
        self.remote.close()
        os.close(self.root_fd)

    def locate(self, id: ObjectId) -> bytes | None:
        """Where the object is now: a path relative to the root that named it a moment ago, to be looked at.

        None: it is gone, left the root, or cannot be asked."""
        fact = self._batch.fact(id)
        return self.locate_handle(fact.handle) if fact is not None else None

    def locate_handle(self, handle: bytes) -> bytes | None:
        """:meth:`locate` for an object that may be unknown here."""
        if not self.can_locate:
            return None
        try:
            fd = self._by_handle(handle)
        except OSError:
            return None
        try:
            return self._path_of(fd)
        finally:
            os.close(fd)

    def _by_handle(self, handle: bytes) -> int:
        return open_by_handle(self.root_fd, handle, os.O_PATH)

    def _path_of(self, fd: int) -> bytes | None:
        st = os.fstat(fd)
        if st.st_nlink == 0:
            return None
        try:
            root = os.readlink(b"/proc/self/fd/%d" % self.root_fd)
            path = os.readlink(b"/proc/self/fd/%d" % fd)
            prefix = root.rstrip(b"/") + b"/"
            if self.remote.covers(path.removeprefix(prefix)):
                return None
            # A file opened by handle may be known to the kernel without a path; it then shows something made up.
            seen = os.stat(path, follow_symlinks=False)
            mount = mount_of_path(path)
        except (OSError, ValueError):
            return None
        if not path.startswith(prefix) or (seen.st_ino, seen.st_dev) != (st.st_ino, st.st_dev) or mount != self.mount:
            return None
        return path[len(prefix) :]

    def _locate_in_catalog(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        names = self._batch.names_of(id)
        return names[0] if names else None

    def _expected(self, id: ObjectId) -> bytes | None:
        fact = self._batch.fact(id)
        return fact.handle if fact is not None else None
