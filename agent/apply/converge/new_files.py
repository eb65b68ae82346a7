"""New files at names where nothing stands, in as few calls as will do: most of a first sync, and of every unpacked archive.

A file is never seen half-written in a directory that was there before the checkpoint: it has no name until it is whole. In a
directory made since, it is written under its own name at once; what a crash leaves there is known again by its directory,
which is new too.
"""

from __future__ import annotations

import os
import stat

from agent.apply.converge.run import Mirror
from agent.apply.results import ChunkLost
from agent.apply.writing import file_content
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ObjectId
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import NO_NAMELESS, create_file, create_nameless, give_name
from agent.fs.metadata import apply_metadata_fd

#: Smaller files never come ahead of their commit.
_LARGE = 16 << 20


class NewFiles:
    """Places new files of a run that is trusted; what it does not take, ``place`` does."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._nameless = True
        self._parent = ObjectId(NOTHING)
        self._fd = -1
        self._made = False

    def place(self, parent: ObjectId, name: bytes, id: ObjectId) -> bool:
        """Whether the object was such a file and stands at the name now, or is owed and nothing can stand there. Whatever went
        wrong, nothing is left behind, and ``place`` will meet it again and say so."""
        try:
            placed = self._place(parent, name, id)
        except (OSError, ChunkLost, WireError):
            placed = False
        if not placed:
            # Others use the directories now: the descriptor in hand may be closed.
            self._parent = ObjectId(NOTHING)
        return placed

    def _place(self, parent: ObjectId, name: bytes, id: ObjectId) -> bool:
        mirror = self._mirror
        if mirror.rows is None or id in mirror.standing or not mirror.standing_whole:
            return False
        old, raw = mirror.rows.get(id, (None, None))
        if old is not None or raw is None:
            return False
        if mirror.leaves(id):
            return True
        row = decode_object(raw)
        if row.mode & 0o170000 != stat.S_IFREG or row.flags:
            return False
        if parent != self._parent:
            self._fd, self._made, self._parent = mirror.fd(parent), parent in mirror.new_directories, parent
        if not (self._made or self._nameless):
            return False
        mirror.world.step("create")
        early = self._early(row)
        named = self._made and early < 0
        fd = early if early >= 0 else self._create(name)
        if fd < 0:
            return False
        try:
            written = row.size if early >= 0 or not row.size else file_content.write_new(fd, row, mirror.read)
            mirror.tally.done_bytes += written
            refused = apply_metadata_fd(fd, row)
            if not named:
                mirror.world.step("link")
                give_name(fd, self._fd, name)
            mirror.made(row, fd, refused)
        except Exception:
            if named:
                os.unlink(name, dir_fd=self._fd)
            raise
        finally:
            os.close(fd)
        mirror.stands(id, parent, name)
        mirror.touch(parent)
        return True

    def _early(self, row: ObjectRow) -> int:
        """The file that was written while its content came; -1 where there is none."""
        mirror = self._mirror
        if row.size <= _LARGE:
            return -1
        return mirror.early.take(file_content.entries_of(row, mirror.read), lambda: mirror.world.temp)

    def _create(self, name: bytes) -> int:
        """The file to be written; -1 where there are none without a name."""
        if self._made:
            return create_file(self._fd, name)
        try:
            return create_nameless(self._fd)
        except OSError as error:
            if error.errno not in NO_NAMELESS:
                raise
            self._nameless = False
            return -1
