"""``.hikae/m``: where objects wait that have lost their name and will get another, and what is removed bit by bit.

An entry is named by its object id in hex; what only waits to be removed, ``x``, a number, and what it was taken for.
"""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime

from agent.apply.converge.touched import restore_flags, touch
from agent.apply.converge.untouched import stays
from agent.apply.run.fate import Fate, KnownBy
from agent.apply.run.one_run import Run
from agent.apply.run.standing_entries import Found
from agent.core.ids import ObjectId
from agent.core.problem import Severity
from agent.core.problem_codes import DISPLACED
from agent.core.rows import ObjectRow
from agent.fs.expected import StaleEntry
from agent.fs.handles import handle_of

#: Begins the names of what stood in a tree that was taken over, where it is moved aside.
_OF_ADOPTING = b"adopted-"


def carry_out(run: Run, verdict: Fate, fd: int, parent: ObjectId, name: bytes, found: Found) -> bool:
    """Do to an entry what was decided; False: it is a directory that stays for what it holds. Its own counts as touched."""
    if verdict is Fate.LEAVE:
        return True
    touch(run, parent)
    if verdict in (Fate.DISPLACE, Fate.REMOVE) and stat.S_ISDIR(found.st.st_mode):
        if verdict is Fate.REMOVE and run.output.rmdir(fd, name):
            _forget(run, found)
            return True
        if stays(run, fd, parent, name):
            return False
    if verdict is Fate.DISPLACE:
        displace(run, fd, parent, name)
    elif verdict is Fate.UNLINK:
        run.output.unlink(fd, name)
    elif verdict is Fate.KEEP:
        _keep(run, fd, name, found)
    else:
        _remove(run, fd, name, found)
    return True


def _keep(run: Run, fd: int, name: bytes, found: Found) -> None:
    assert found.id is not None
    guessed = found.identity is KnownBy.GUESSED
    if guessed and run.standing.ledger.handle_of(found.id) is not None:
        # The object itself is another: what is of use in this one is taken out of it.
        discard(run, fd, name, found.id)
        return
    run.standing.holding = True
    restore_flags(run, found.id)
    try:
        _move_to_held(run, fd, name, b"%x" % found.id, found.handle)
    except FileExistsError:
        # A further name of a file that waits there, or an impostor.
        if stat.S_ISDIR(found.st.st_mode):
            discard(run, fd, name, found.id)
        else:
            run.output.unlink(fd, name)
        return
    if guessed and stat.S_ISDIR(found.st.st_mode):
        run.doubt(found.id)
    believed = run.standing.ledger.is_as_noted(found.id, found.st)
    run.standing.record(found.id, found.handle, found.st, believed=believed)


def _remove(run: Run, fd: int, name: bytes, found: Found) -> None:
    # Not empty: its entries are keys of their own, or foreign; it is looked through at the end.
    if found.id is None:
        discard(run, fd, name)
    else:
        hold(run, fd, name, found.id, found.handle)


def _forget(run: Run, found: Found) -> None:
    if found.id is not None:
        run.standing.dirs.forget(found.id)
        run.standing.ledger.forget(found.id)


def is_of_adopting(aside: bytes) -> bool:
    """Whether an entry of ``.hikae/displaced`` stood in a tree that was taken over, and so was never ours."""
    return aside.startswith(_OF_ADOPTING)


def displace(run: Run, fd: int, parent: ObjectId, name: bytes) -> None:
    """Move a foreign entry to ``.hikae/displaced``, and say so."""
    aside = _set_aside(run, fd, name)
    run.tally.displaced += 1
    touch(run, parent)
    if run.plan.adopt:
        return  # one problem for all of them
    place = os.readlink(b"/proc/self/fd/%d" % run.output.displaced)
    where = (place + b"/" + aside).decode("utf-8", "backslashreplace")
    # After a power cut it may be ours: of what was not synced nothing is known.
    message = (
        f"something that is not known here stood in the way (a stranger's, or of before a power cut); it is now {where}"
    )
    path = run.wanted.path(parent, name)
    run.problem(DISPLACED, path, message, "look at it, then remove it", Severity.WARNING)


def _set_aside(run: Run, fd: int, name: bytes) -> bytes:
    """Move an entry to ``.hikae/displaced``; its name there."""
    seconds = run.means.clock.now_ns() // 1_000_000_000
    whose = _OF_ADOPTING if run.plan.adopt else b""
    stamp = whose + datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ").encode()
    while True:
        run.standing.serial += 1
        aside = b"%s-%d-%s" % (stamp, run.standing.serial, name[:200])
        try:
            run.output.rename(fd, name, run.output.displaced, aside)
        except FileExistsError:
            continue
        return aside


def discard(run: Run, fd: int, name: bytes, id: ObjectId | None = None) -> None:
    """Move a whole entry to ``.hikae/m`` for the sweep to remove. ``id``: what it was, or was taken for."""
    run.standing.holding = True
    while True:
        run.standing.serial += 1
        try:
            run.output.rename(fd, name, run.output.held, b"x%d.%x" % (run.standing.serial, id or 0))
            return
        except FileExistsError:
            continue


def _move_to_held(run: Run, fd: int, name: bytes, held: bytes, handle: bytes) -> None:
    """Move the entry that was seen to have this handle to ``.hikae/m``. FileExistsError; ``StaleEntry``: another had taken
    its name, which has it back, or was moved to ``displaced`` because something stands there again."""
    output = run.output
    output.rename(fd, name, output.held, held)
    if output.expect.arrived(output.held, held, handle):
        return
    try:
        output.rename(output.held, held, fd, name)
    except FileExistsError:
        _set_aside(run, output.held, held)
    raise StaleEntry(errno.ESTALE, "another object was moved than was looked at", name)


def hold(run: Run, fd: int, name: bytes, id: ObjectId, handle: bytes) -> None:
    """Move an entry to where its object waits; if one waits there already, this is an impostor, to be removed."""
    run.standing.holding = True
    try:
        _move_to_held(run, fd, name, b"%x" % id, handle)
    except FileExistsError:
        discard(run, fd, name, id)


def take(run: Run, fd: int, name: bytes, row: ObjectRow, *, replace: bool) -> bool:
    """Move an object that waits here to a name; False when it does not, or is of another type than it should be."""
    held = b"%x" % row.id
    try:
        st = os.stat(held, dir_fd=run.output.held, follow_symlinks=False)
    except FileNotFoundError:
        return False
    # Nobody else can exchange names in our own directory.
    handle = handle_of(run.output.held, held)
    if not _is_it(run, st, handle, row) or not _moved_back(
        run, held, fd, name, replace=replace and row.kind != stat.S_IFDIR
    ):
        discard(run, run.output.held, held, row.id)
        return False
    # Of another object's stat by now nothing would be believed: its inode number is another.
    st = os.stat(name, dir_fd=fd, follow_symlinks=False)
    # Both ways moved its ctime.
    known = run.standing.ledger.row_of(row.id)
    believed = known is not None and known.ctime > 0 and (known.mtime, known.size) == (st.st_mtime_ns, st.st_size)
    run.standing.record(row.id, handle, st, believed=believed)
    if row.kind == stat.S_IFDIR or row.flags:
        touch(run, row.id)
    if run.plan.survey and row.kind != stat.S_IFDIR:
        run.due.unchecked.append(row.id)
    return True


def _moved_back(run: Run, held: bytes, fd: int, name: bytes, *, replace: bool) -> bool:
    """False where the directory takes only what is of its own project, and the object can be given no other: it is built anew."""
    try:
        run.output.rename(run.output.held, held, fd, name, replace=replace)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _is_it(run: Run, st: os.stat_result, handle: bytes, row: ObjectRow) -> bool:
    """Whether what waits under the object's id can be it: of its type, and not known to be another (a run that was cut short
    between moving something here and looking at what it was leaves another). A directory may be an unknown one."""
    if stat.S_IFMT(st.st_mode) != row.kind:
        return False
    known = run.standing.ledger.handle_of(row.id)
    if row.kind == stat.S_IFDIR:
        if known != handle:
            run.doubt(row.id)
        return True
    return known is None or run.output.expect.is_same(handle, known)
