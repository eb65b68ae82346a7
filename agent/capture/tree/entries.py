"""Entries as they stand in the filesystem now: whether they count, and which known objects they are. Changes no batch."""

from __future__ import annotations

import os
import stat

from agent.capture.batch import Name
from agent.capture.files.objects import MOUNT_HANDLE, mount_handle
from agent.capture.open_tree import Entry, OpenTree
from agent.capture.remote import stat_of_mount
from agent.capture.tree.identify import Candidate, identify
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR, file_type_of
from agent.fs.confined import open_dir
from agent.fs.handles import SUBVOLUME_INODE, is_read_only_subvolume


class Entries:
    """Finds what stands at entries of one opened root. Belongs to the pump's thread."""

    def __init__(self, tree: OpenTree) -> None:
        self._batch = tree.batch
        self._directories = tree.directories
        self._rules = tree.rules
        self._problems = tree.problems
        access = tree.access
        self._stat, self._handle_and_mount, self._handle_of = access.stat, access.handle_and_mount, access.handle_of

    # --- what stands there

    def find(self, parent: ObjectId, name: bytes, known: ObjectId | None, synced_at: int = 0) -> Entry | None:
        """What stands at an entry; None when nothing does that counts. OSError when there is no such directory."""
        fd = self._directories.fd(parent)
        if parent == ROOT and name == PRIVATE_DIR:
            return None
        if self.is_remote(parent, name):
            return self._remote(fd, parent, name, known)
        try:
            st = self._stat(name, dir_fd=fd, follow_symlinks=False)
            if not self._counts(parent, name, st):
                return None
            handle, mount = self._handle_and_mount(fd, name)
            if mount != self._directories.mount:
                return self._mounted(parent, name, st, known)
            if known is None and self._is_snapshot(parent, name, st):
                return None
            return Entry(parent, name, st, handle, known, synced_at)
        except FileNotFoundError:
            self._problems.well(lambda: self._batch.path(parent, name))
            return None

    def carries(self, parent: ObjectId, name: bytes, id: ObjectId) -> bool:
        """Whether the object that is known as ``id`` stands at this entry."""
        fact = self._batch.fact(id)
        if self.is_remote(parent, name):
            return fact is not None and fact.handle == mount_handle(parent, name)
        try:
            return fact is not None and self._handle_of(self._directories.fd(parent), name) == fact.handle
        except OSError:
            return False

    def is_empty(self, parent: ObjectId, name: bytes) -> bool:
        """Whether nothing at all stands at this entry, or nobody can know."""
        try:
            if not self.is_remote(parent, name):
                self._stat(name, dir_fd=self._directories.fd(parent), follow_symlinks=False)
        except OSError:
            return True
        return False

    def is_remote(self, parent: ObjectId, name: bytes) -> bool:
        """Whether something is mounted at the entry that may never answer."""
        remote = self._directories.remote
        remote.look()
        return name in remote.names and remote.stands_at(self._batch.path(parent, name))

    def is_mount(self, id: ObjectId) -> bool:
        """Whether a directory is one that something is mounted on."""
        fact = self._batch.fact(id)
        return fact is not None and fact.handle.startswith(MOUNT_HANDLE)

    def _remote(self, fd: int, parent: ObjectId, name: bytes, known: ObjectId | None) -> Entry | None:
        st = stat_of_mount(fd)
        return Entry(parent, name, st, mount_handle(parent, name), known) if self._counts(parent, name, st) else None

    def _counts(self, parent: ObjectId, name: bytes, st: os.stat_result) -> bool:
        if self._rules and self._rules.excluded(self._batch.path(parent, name), stat.S_ISDIR(st.st_mode)):
            return False
        if stat.S_ISSOCK(st.st_mode):
            self._problems.socket(self._batch.path(parent, name))
            return False
        return True

    def _mounted(self, parent: ObjectId, name: bytes, st: os.stat_result, known: ObjectId | None) -> Entry | None:
        """What is mounted at an entry is not crossed: a directory is taken for an empty one, a file for none."""
        if stat.S_ISDIR(st.st_mode):
            return Entry(parent, name, st, mount_handle(parent, name), known)
        self._problems.mount(self._batch.path(parent, name), is_dir=False)
        return None

    def _is_snapshot(self, parent: ObjectId, name: bytes, st: os.stat_result) -> bool:
        """Whether it is a read-only subvolume of btrfs, which is left out as a whole unless a rule includes it. One that is known
        was written here: that it may not be now is no reason to drop it."""
        if not stat.S_ISDIR(st.st_mode) or st.st_ino != SUBVOLUME_INODE:
            return False
        fd = open_dir(self._directories.fd(parent), name)
        try:
            if not is_read_only_subvolume(fd):
                return False
        finally:
            os.close(fd)
        path = self._batch.path(parent, name)
        if self._rules.included(path):
            return False
        self._problems.snapshot(path)
        return True

    # --- which object it is

    def object_at(self, entry: Entry) -> ObjectId | None:
        """The known object that a found entry is; None: a new one."""
        return self._identified(stat.S_IFMT(entry.st.st_mode), entry.handle, entry.known)

    def file_at(self, name: Name, handle: bytes) -> ObjectId | None:
        """The known object that a regular file with this handle at this name is; None: a new one."""
        return self._identified(stat.S_IFREG, handle, self._batch.child(*name))

    def _identified(self, kind: int, handle: bytes, known: ObjectId | None) -> ObjectId | None:
        by_handle = self._candidate(self._batch.by_handle(handle), handle)
        by_name = None
        if known is not None and (by_handle is None or by_handle.id != known):
            fact = self._batch.fact(known)
            by_name = self._candidate(known, fact.handle if fact is not None else None)
        return identify(kind, handle, by_handle, by_name)

    def _candidate(self, id: ObjectId | None, handle: bytes | None) -> Candidate | None:
        row = self._batch.object(id) if id is not None else None
        return Candidate(id, file_type_of(row), handle) if id is not None and row is not None else None
