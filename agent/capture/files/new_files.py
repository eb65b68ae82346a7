"""Small files of which nothing can be known: most of a first sync, in as few calls and objects as will do.

What is in any way unusual (a hole, attributes, a change during the read, an error) is left to ``Objects``, which knows all cases.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from agent.capture.open_tree import OpenTree
from agent.chunking.reader import SMALL, ReaderTools, read_at_once
from agent.chunking.stat_trust import is_clean, kept_ctime, unchanged
from agent.core.ids import ObjectId
from agent.core.rows import encode_plain_file
from agent.fs.confined import open_file
from agent.fs.handles import handle_and_mount_of_fd
from agent.fs.metadata import flags_of_fd
from agent.store.local import LocalRow


class FreshFiles:
    """Captures into ``batch``. ``grain``: ns, of its clock;
    ``silent_stores``: see ``Objects``. Belongs to the pump's thread."""

    def __init__(self, tree: OpenTree, tools: ReaderTools, grain: int, silent_stores: bool) -> None:
        self._batch = tree.batch
        self._mount = tree.directories.mount
        self._remote = tree.directories.remote
        self._clock = tree.clock
        self._seed = tools.seed
        self._pread = tools.reads.pread
        self._grain = grain
        self._silent_stores = silent_stores
        self._cutter = tools.cutter

    def take(self, directory: ObjectId, dir_fd: int, name: bytes, synced_at: int) -> int | None:
        """Capture the entry under its first name; its size in bytes. None, and nothing done, when it is not such a file.

        ``synced_at``: see ``Objects``."""
        if name in self._remote.names:
            return None
        try:
            st = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
            size = st.st_size
            if not S_ISREG(st.st_mode) or st.st_nlink != 1 or size > SMALL:
                return None
            fd = open_file(dir_fd, name)
            try:
                if size and os.lseek(fd, 0, os.SEEK_HOLE) < size:
                    return None
                read_at = self._clock.now_ns()
                data = self._pread(fd, size, 0) if size else b""
                if os.listxattr(fd):
                    return None
                flags = flags_of_fd(fd)
                handle, mount = handle_and_mount_of_fd(fd)
                after = os.fstat(fd)
            finally:
                os.close(fd)
        except OSError:
            return None
        if len(data) != size or not unchanged(st, after) or mount != self._mount:
            return None
        self._keep(directory, name, st, data, flags, handle, read_at, synced_at)
        return size

    def _keep(
        self,
        directory: ObjectId,
        name: bytes,
        st: os.stat_result,
        data: bytes,
        flags: int,
        handle: bytes,
        read_at: int,
        synced_at: int,
    ) -> None:
        batch, size, ctime, mtime = self._batch, len(data), st.st_ctime_ns, st.st_mtime_ns
        listed = prints = b""
        if size:
            content, found = read_at_once(data, self._seed, self._cutter)
            listed, prints = content.chunks, content.prints
            batch.add_chunks(found)
        clean = is_clean(ctime, synced_at, self._grain) and not (size and self._silent_stores)
        kept = ctime if clean else kept_ctime(ctime, read_at, self._grain)
        id = batch.fresh_id()
        row = encode_plain_file(id, st.st_mode, st.st_uid, st.st_gid, mtime, flags, size, listed)
        batch.add_file(directory, name, id, row, LocalRow(id, handle, st.st_ino, kept, mtime, size, clean, prints))
