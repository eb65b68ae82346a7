"""Making what is wanted stand at its name: moved back, linked, or built."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from agent.apply.converge.build import build_object, put_link, stands_elsewhere_at
from agent.apply.converge.held_entries import take
from agent.apply.converge.taken import NameState, make_way
from agent.apply.converge.touched import touch
from agent.apply.output.directory import TEMP
from agent.apply.run.one_run import Making, Run
from agent.core.ids import ROOT, ObjectId
from agent.core.problem_codes import IMPOSSIBLE_ROW
from agent.core.rows import ObjectRow
from agent.fs.confined import open_dir
from agent.fs.expected import is_ours_alone
from agent.fs.handles import handle_of_fd


class Unplaceable(Exception):
    """Rows that no filesystem could hold: a name in nothing, in a file, or below itself."""


def place(run: Run, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    """Make the object stand at the name. ``expect``: something may stand there, so look first; else only when it turns out so."""
    with Making(run, id, parent, name):
        try:
            _place(run, parent, name, id, expect=expect)
        except Unplaceable:
            _impossible(run, parent, name)


def _place(run: Run, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    row = run.wanted.row(id)
    if row is None or id == ROOT:
        raise Unplaceable
    if row.kind == stat.S_IFDIR and run.wanted.view.names_of(id, run.wanted.at)[0] != (parent, name):
        raise Unplaceable  # a directory has one name
    fd = reach(run, parent)
    way = make_way(run, fd, parent, name, row) if expect else NameState.FREE
    for _ in range(3):
        if way is NameState.STANDS:
            return
        try:
            _put(run, fd, parent, name, row, replace=way is NameState.REPLACE)
        except FileExistsError:
            way = make_way(run, fd, parent, name, row)
        except FileNotFoundError:
            # The directory that we hold open was removed under us.
            run.standing.dirs.forget(parent)
            fd = reach(run, parent)
        except OSError as error:
            if error.errno == errno.EINVAL and row.kind == stat.S_IFDIR:
                raise Unplaceable from error  # a directory below itself
            raise
        else:
            touch(run, parent)
            return
    raise FileExistsError(errno.EEXIST, "somebody else keeps creating this entry", name)


def reach(run: Run, id: ObjectId) -> int:
    """The open directory, built where it is missing. Raises ``Unplaceable`` when the rows lead nowhere."""
    try:
        return run.standing.fd(id)
    except OSError:
        return _build_way(run, id)


def _build_way(run: Run, id: ObjectId) -> int:
    for directory, parent, name in reversed(_way_up(run, id)):
        try:
            run.standing.fd(directory)
        except OSError:
            _place(run, parent, name, directory, expect=True)
    try:
        return run.standing.fd(id)
    except FileNotFoundError as error:
        raise Unplaceable from error


def _way_up(run: Run, id: ObjectId) -> list[tuple[ObjectId, ObjectId, bytes]]:
    """``(directory, parent, name)`` from ``id`` up to the first ancestor that is there."""
    way: list[tuple[ObjectId, ObjectId, bytes]] = []
    passed: set[ObjectId] = set()
    at = id
    while at != ROOT:
        row = run.wanted.row(at)
        names = run.wanted.view.names_of(at, run.wanted.at)
        if row is None or row.kind != stat.S_IFDIR or not names or at in passed:
            raise Unplaceable
        passed.add(at)
        way.append((at, *names[0]))
        at = names[0][0]
        try:
            run.standing.fd(at)
        except OSError:
            continue
        break
    return way


def _impossible(run: Run, parent: ObjectId, name: bytes) -> None:
    message = "the catalog names this where no directory can be; it is left out"
    remedy = "hikae reconcile on the primary; if it stays, its catalog is damaged"
    run.problem(IMPOSSIBLE_ROW, run.wanted.path(parent, name), message, remedy)


def _put(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, *, replace: bool) -> None:
    if run.standing.holding and take(run, fd, name, row, replace=replace):
        if row.kind != stat.S_IFDIR:
            run.standing.stands(row.id, parent, name)
        return
    if row.kind == stat.S_IFDIR:
        _put_directory(run, fd, name, row)
        return
    other = stands_elsewhere_at(run, row.id, parent, name)
    if other is None and row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        if replace:
            # What stood there is another object, which has lost this name.
            run.output.unlink(fd, name)
        return
    if other is None or not put_link(run, other, fd, name, row, replace=replace):
        build_object(run, fd, parent, name, row, replace=replace)
    else:
        # Of very many names each would be looked for among all the others.
        run.standing.stands(row.id, *other)


def _put_directory(run: Run, fd: int, name: bytes, row: ObjectRow) -> None:
    made = _make_directory(run, fd, name, row)
    run.standing.record(row.id, handle_of_fd(made), os.fstat(made), believed=True)
    run.standing.dirs.adopt(row.id, made)
    run.standing.made_directory(row.id)
    if run.wanted.existed(row.id) and row.id not in run.due.surveyed:
        # Somebody removed it here: what stood in it and did not change is missing too.
        run.due.surveyed.add(row.id)
        run.due.hollow.append(row.id)
    touch(run, row.id)


def _make_directory(run: Run, fd: int, name: bytes, row: ObjectRow) -> int:
    """A new directory, open. Where others may exchange names it is made aside, so that it is known which one is ours, and given
    to its owner before it has a name, so that a redo may take it."""
    world = run.output
    if is_ours_alone(fd):
        world.mkdir(fd, name)
        return open_dir(fd, name)
    world.clear_temp()
    world.mkdir(world.temp, TEMP)
    made = open_dir(world.temp, TEMP)
    try:
        with suppress(OSError):
            os.fchown(made, row.uid, row.gid)  # what is refused is said when all its metadata is set
        world.rename(world.temp, TEMP, fd, name)
    except BaseException:
        os.close(made)
        raise
    return made
