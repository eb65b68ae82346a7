"""``.hikae/m``: where objects wait that have lost their name and will get another, and what is removed bit by bit.

An entry is named by its object id in hex; what only waits to be removed, ``x``, a number, and what it was taken for.
"""

from __future__ import annotations

import errno
import os
import stat

from agent.apply.converge.fate import Fate, KnownBy
from agent.apply.converge.run import Found, Mirror
from agent.apply.converge.untouched import stays
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.handles import handle_of


def carry_out(mirror: Mirror, verdict: Fate, fd: int, parent: ObjectId, name: bytes, found: Found) -> bool:
    """Do to an entry what was decided; False: it is a directory that stays for what it holds. Its own counts as touched."""
    if verdict is Fate.LEAVE:
        return True
    mirror.touch(parent)
    if verdict in (Fate.DISPLACE, Fate.REMOVE) and stat.S_ISDIR(found.st.st_mode):
        if verdict is Fate.REMOVE and mirror.world.rmdir(fd, name):
            _forget(mirror, found)
            return True
        if stays(mirror, fd, parent, name):
            return False
    if verdict is Fate.DISPLACE:
        mirror.displace(fd, parent, name)
    elif verdict is Fate.UNLINK:
        mirror.world.unlink(fd, name)
    elif verdict is Fate.KEEP:
        _keep(mirror, fd, name, found)
    else:
        _remove(mirror, fd, name, found)
    return True


def _keep(mirror: Mirror, fd: int, name: bytes, found: Found) -> None:
    assert found.id is not None
    guessed = found.identity is KnownBy.GUESSED
    if guessed and mirror.ledger.handle_of(found.id) is not None:
        # The object itself is another: what is of use in this one is taken out of it.
        mirror.discard(fd, name, found.id)
        return
    mirror.holding = True
    mirror.restore_flags(found.id)
    try:
        mirror.move_aside(fd, name, b"%x" % found.id, found.handle)
    except FileExistsError:
        # A further name of a file that waits there, or an impostor.
        if stat.S_ISDIR(found.st.st_mode):
            mirror.discard(fd, name, found.id)
        else:
            mirror.world.unlink(fd, name)
        return
    if guessed and stat.S_ISDIR(found.st.st_mode):
        mirror.doubtful.append(found.id)
    mirror.ledger.record(found.id, found.handle, found.st, mirror.was_unkept(found.id))


def _remove(mirror: Mirror, fd: int, name: bytes, found: Found) -> None:
    # Not empty: its entries are keys of their own, or foreign; it is looked through at the end.
    if found.id is None:
        mirror.discard(fd, name)
    else:
        hold(mirror, fd, name, found.id, found.handle)


def _forget(mirror: Mirror, found: Found) -> None:
    if found.id is not None:
        mirror.dirs.forget(found.id)
        mirror.ledger.forget(found.id)


def hold(mirror: Mirror, fd: int, name: bytes, id: ObjectId, handle: bytes) -> None:
    """Move an entry to where its object waits; if one waits there already, this is an impostor, to be removed."""
    mirror.holding = True
    try:
        mirror.move_aside(fd, name, b"%x" % id, handle)
    except FileExistsError:
        mirror.discard(fd, name, id)


def take(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, *, replace: bool) -> bool:
    """Move an object that waits here to a name; False when it does not, or is of another type than it should be."""
    held = b"%x" % row.id
    try:
        st = os.stat(held, dir_fd=mirror.world.held, follow_symlinks=False)
    except FileNotFoundError:
        return False
    # Nobody else can exchange names in our own directory.
    handle = handle_of(mirror.world.held, held)
    if not _is_it(mirror, st, handle, row) or not _moved_back(
        mirror, held, fd, name, replace=replace and row.kind != stat.S_IFDIR
    ):
        mirror.discard(mirror.world.held, held, row.id)
        return False
    # Of another object's stat by now nothing would be believed: its inode number is another.
    st = os.stat(name, dir_fd=fd, follow_symlinks=False)
    mirror.ledger.record(row.id, handle, st, mirror.was_unkept(row.id))
    if row.kind == stat.S_IFDIR or row.flags:
        mirror.touch(row.id)
    if mirror.run.survey and row.kind != stat.S_IFDIR:
        mirror.unchecked.append(row.id)
    return True


def _moved_back(mirror: Mirror, held: bytes, fd: int, name: bytes, *, replace: bool) -> bool:
    """False where the directory takes only what is of its own project, and the object can be given no other: it is built anew."""
    try:
        mirror.world.rename(mirror.world.held, held, fd, name, replace=replace)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _is_it(mirror: Mirror, st: os.stat_result, handle: bytes, row: ObjectRow) -> bool:
    """Whether what waits under the object's id can be it: of its type, and not known to be another (a run that was cut short
    between moving something here and looking at what it was leaves another). A directory may be an unknown one."""
    if stat.S_IFMT(st.st_mode) != row.kind:
        return False
    known = mirror.ledger.handle_of(row.id)
    if row.kind == stat.S_IFDIR:
        if known != handle:
            mirror.doubtful.append(row.id)
        return True
    return known is None or mirror.world.expect.is_same(handle, known)
