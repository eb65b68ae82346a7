"""``.hikae/m``: where objects wait that have lost their name and will get another, and what is removed bit by bit.

An entry is named by its object id in hex; what only waits to be removed, ``x``, a number, and what it was taken for.
"""

from __future__ import annotations

import os
import stat

from agent.apply.fate import Fate, Identity
from agent.apply.mirror import Found, Mirror
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.handles import handle_of


def carry_out(mirror: Mirror, verdict: Fate, fd: int, parent: ObjectId, name: bytes, found: Found) -> None:
    """Do to an entry what was decided. Its directory counts as touched."""
    if verdict is Fate.LEAVE:
        return
    mirror.touch(parent)
    if verdict is Fate.DISPLACE:
        mirror.displace(fd, parent, name)
    elif verdict is Fate.UNLINK:
        mirror.world.unlink(fd, name)
    elif verdict is Fate.KEEP:
        _keep(mirror, fd, name, found)
    else:
        _remove(mirror, fd, name, found)


def _keep(mirror: Mirror, fd: int, name: bytes, found: Found) -> None:
    assert found.id is not None
    guessed = found.identity is Identity.GUESSED
    if guessed and mirror.ledger.handle_of(found.id) is not None:
        # The object itself is another: what is of use in this one is taken out of it.
        mirror.discard(fd, name, found.id)
        return
    mirror.holding = True
    mirror.restore_flags(found.id)
    try:
        mirror.world.rename(fd, name, mirror.world.held, b"%x" % found.id)
    except FileExistsError:
        # A further name of a file that waits there, or an impostor.
        if stat.S_ISDIR(found.st.st_mode):
            mirror.discard(fd, name, found.id)
        else:
            mirror.world.unlink(fd, name)
        return
    if guessed and stat.S_ISDIR(found.st.st_mode):
        mirror.doubtful.append(found.id)
    mirror.ledger.record(found.id, found.handle, found.st)


def _remove(mirror: Mirror, fd: int, name: bytes, found: Found) -> None:
    if mirror.world.rmdir(fd, name):
        if found.id is not None:
            mirror.dirs.forget(found.id)
            mirror.ledger.forget(found.id)
        return
    # Not empty: its entries are keys of their own, or foreign; it is looked through at the end.
    if found.id is None:
        mirror.discard(fd, name)
    else:
        hold(mirror, fd, name, found.id)


def hold(mirror: Mirror, fd: int, name: bytes, id: ObjectId) -> None:
    """Move an entry to where its object waits; if one waits there already, this is an impostor, to be removed."""
    mirror.holding = True
    try:
        mirror.world.rename(fd, name, mirror.world.held, b"%x" % id)
    except FileExistsError:
        mirror.discard(fd, name, id)


def take(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, *, replace: bool) -> bool:
    """Move an object that waits here to a name; False when it does not, or is of another type than it should be."""
    held = b"%x" % row.id
    try:
        st = os.stat(held, dir_fd=mirror.world.held, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_IFMT(st.st_mode) != row.kind:
        mirror.discard(mirror.world.held, held, row.id)
        return False
    handle = handle_of(mirror.world.held, held)
    if row.kind == stat.S_IFDIR and mirror.ledger.handle_of(row.id) != handle:
        mirror.doubtful.append(row.id)
    mirror.world.rename(mirror.world.held, held, fd, name, replace=replace and row.kind != stat.S_IFDIR)
    mirror.record(row.id, fd, name, handle)
    if row.kind == stat.S_IFDIR or row.flags:
        mirror.touch(row.id)
    if mirror.run.survey and row.kind != stat.S_IFDIR:
        mirror.unchecked.append(row.id)
    return True
