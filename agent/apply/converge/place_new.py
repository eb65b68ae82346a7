"""New files at names where nothing stands, in as few calls as will do: most of a first sync, and of every unpacked archive.

A file is never seen half-written in a directory that was there before the checkpoint: it has no name until it is whole. In a
directory made since, it is written under its own name at once; what a crash leaves there is known again by its directory,
which is new too.
"""

from __future__ import annotations

import os
import stat

from agent.apply.converge.touched import touch
from agent.apply.results import ChunkLost
from agent.apply.run.one_run import Run
from agent.apply.writing import file_content
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ObjectId
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import create_file, give_name
from agent.fs.metadata import apply_metadata_fd


class NewFiles:
    """Places new files of a run that is trusted; what it does not take, ``place`` does."""

    def __init__(self, run: Run) -> None:
        self._run = run
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
        run = self._run
        wanted, standing = run.wanted, run.standing
        if wanted.rows is None or id in standing.places or not standing.has_all_places:
            return False
        old, raw = wanted.rows.get(id, (None, None))
        if old is not None or raw is None:
            return False
        if wanted.leaves(id):
            return True
        row = decode_object(raw)
        if row.mode & 0o170000 != stat.S_IFREG or row.flags:
            return False
        if parent != self._parent:
            self._fd, self._made, self._parent = standing.fd(parent), parent in standing.new_directories, parent
        if not (self._made or self._nameless):
            return False
        run.output.step("create")
        early = self._early(row)
        named = self._made and early < 0
        fd = early if early >= 0 else self._create(name)
        if fd < 0:
            return False
        try:
            written = row.size if early >= 0 or not row.size else file_content.write_new(fd, row, run.means.read)
            run.tally.done_bytes += written
            refused = apply_metadata_fd(fd, row)
            if not named:
                run.output.step("link")
                give_name(fd, self._fd, name)
            standing.made(row, fd, refused)
        except Exception:
            if named:
                os.unlink(name, dir_fd=self._fd)
            raise
        finally:
            os.close(fd)
        standing.stands(id, parent, name)
        touch(run, parent)
        return True

    def _early(self, row: ObjectRow) -> int:
        """The file that was written while its content came; -1 where there is none."""
        run = self._run
        if row.size <= run.means.limits.large:
            return -1
        return run.means.early.take(file_content.entries_of(row, run.means.read), lambda: run.output.temp)

    def _create(self, name: bytes) -> int:
        """The file to be written; -1 where there are none without a name."""
        if self._made:
            return create_file(self._fd, name)
        made = self._run.output.create_nameless(self._fd)
        self._nameless = made >= 0
        return made
