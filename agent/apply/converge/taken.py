"""Something stands at a wanted name: is it the wanted object already, may it be taken for it, or must it give way?"""

from __future__ import annotations

import errno
import os
import stat
from enum import Enum

from agent.apply.converge.build import stands_elsewhere
from agent.apply.converge.held_entries import carry_out, discard, displace
from agent.apply.converge.touched import touch
from agent.apply.converge.untouched import require_free
from agent.apply.output.directory import HALF_MADE
from agent.apply.output.unkept import InTheWay
from agent.apply.run.fate import Fate, KnownBy, Wanted, fate
from agent.apply.run.one_run import Run
from agent.apply.run.standing_entries import Found
from agent.apply.writing import file_content
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.expected import is_ours_alone

_DEVICES = (stat.S_IFCHR, stat.S_IFBLK)


class NameState(Enum):
    """What may be done at a wanted name: it is free, what stands there may be replaced, or it is the object."""

    FREE = "free"
    REPLACE = "replace"
    STANDS = "stands"


def make_way(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow) -> NameState:
    """Look at a wanted name, and take for the object what may be, or move away what is something else. OSError; ``InTheWay`` for
    what may not be touched."""
    found = run.standing.look(fd, parent, name)
    if found is None:
        return NameState.FREE
    wanted = Wanted.DIRECTORY if row.kind == stat.S_IFDIR else Wanted.OTHER
    if found.id == row.id and found.kind == row.kind:
        return _own(run, fd, parent, name, row, found)
    if found.identity is KnownBy.FOREIGN:
        return _foreign(run, fd, parent, name, row, found)
    assert found.id is not None
    directory = stat.S_ISDIR(found.st.st_mode)
    alive = found.id != row.id and run.wanted.raw(found.id) is not None
    verdict = fate(found.identity, directory=directory, alive=alive, wanted=wanted)
    if verdict is Fate.LEAVE:
        return NameState.REPLACE
    if carry_out(run, verdict, fd, parent, name, found):
        return NameState.FREE
    if wanted is Wanted.DIRECTORY:
        return adopt_directory(run, fd, name, row, found)
    raise InTheWay(errno.EBUSY, "what stands here is not to be touched", name)


def _own(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> NameState:
    """The object itself stands there, or what a run that was cut short left of it."""
    if found.identity is KnownBy.SURE:
        if row.kind != stat.S_IFDIR:
            run.standing.stands(row.id, parent, name)
        return NameState.STANDS
    if row.kind == stat.S_IFDIR:
        return _take_directory(run, fd, parent, name, row, found)
    if stands_elsewhere(run, row.id, parent, name) or not is_takeable(run, fd, row, found):
        return NameState.REPLACE
    if row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        run.standing.ledger.record(row.id, found.handle, found.st)
        run.standing.stands(row.id, parent, name)
        return NameState.STANDS
    if not equals(run, fd, name, row, found):
        return NameState.REPLACE
    return _adopt(run, fd, parent, name, row, found)


def _foreign(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> NameState:
    if found.mounted:
        raise InTheWay(errno.EBUSY, "something is mounted here", name)
    if found.kind == row.kind == stat.S_IFDIR:
        return _take_directory(run, fd, parent, name, row, found)
    if found.kind == row.kind and is_takeable(run, fd, row, found) and equals(run, fd, name, row, found):
        if stands_elsewhere(run, row.id, parent, name):
            return NameState.REPLACE
        return _adopt(run, fd, parent, name, row, found)
    if found.kind == stat.S_IFREG and not found.st.st_size and row.kind != stat.S_IFDIR:
        return NameState.REPLACE  # nothing is lost; after a power cut ours may be empty too
    require_free(run, fd, parent, name, found.kind)
    displace(run, fd, parent, name)
    return NameState.FREE


def is_takeable(run: Run, fd: int, row: ObjectRow, found: Found) -> bool:
    """Whether an object that is not known by its handle may be taken for the wanted one: where nobody else could have put it
    there, where it has the wanted owner already, so that nothing is given to anybody, where it is a directory that we had not
    finished, or where a tree is to be taken over; what is mounted there never."""
    if found.mounted:
        return False
    return (
        run.plan.adopt
        or (found.st.st_uid, found.st.st_gid) == (row.uid, row.gid)
        or is_ours_alone(fd)
        or _is_half_made(found)
    )


def _is_half_made(found: Found) -> bool:
    """Whether it is a directory that a run made and was cut short before it gave it its mode. A parent's group is handed on."""
    mode = found.st.st_mode & ~stat.S_ISGID
    return found.st.st_uid == os.geteuid() and mode == stat.S_IFDIR | HALF_MADE


def _take_directory(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> NameState:
    if is_takeable(run, fd, row, found):
        return adopt_directory(run, fd, name, row, found)
    require_free(run, fd, parent, name, found.kind)
    displace(run, fd, parent, name)
    return NameState.FREE


def adopt_directory(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> NameState:
    """Take an unknown directory for the wanted one; strangers in it are looked for later."""
    if run.standing.is_held(row.id):
        # The object itself waits in .hikae/m, with what belongs into it.
        discard(run, fd, name, row.id)
        return NameState.FREE
    run.standing.ledger.record(row.id, found.handle, found.st)
    run.standing.dirs.forget(row.id)
    run.doubt(row.id)
    touch(run, row.id)
    return NameState.STANDS


def _adopt(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> NameState:
    run.standing.set_metadata(row, None, fd, name, found.handle)
    run.standing.stands(row.id, parent, name)
    run.standing.finished(row.id)
    return NameState.STANDS


def equals(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether an entry of the right type has the wanted content (metadata aside)."""
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    if row.kind in _DEVICES:
        return found.st.st_rdev == row.rdev
    if row.kind != stat.S_IFREG:
        return True
    if run.wanted.leaves(row.id):
        return False  # What it should hold may not even be known: its list can be among what lacks.
    return found.st.st_size == row.size and holds_content(run, fd, name, row, found)


def holds_content(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether the file can be opened for reading and holds the wanted bytes and holes."""
    try:
        opened = run.standing.open_expected(fd, name, found.handle)
    except PermissionError:
        return False
    try:
        if not run.plan.trusted and not run.plan.survey:
            # It may have been written in vain: after a write error the cache still holds what the disk does not, and no later
            # sync says so again (law 1). What is clean is read from the disk.
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        return file_content.is_same(opened, row, run.means.read, run.means.look_for_end)
    finally:
        os.close(opened)
