"""The last look of a redo: what has a further name at which it is not wanted, and gets its names to itself.

What a run that was cut short had made may be taken for a stranger's and set aside with names of objects that stand in the tree by
then; a stranger may have linked one of ours. Through such a name a change in place would reach what is no longer ours, and the
other way round. Nothing that was set aside is taken from it: the object of the tree is made anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from agent.apply.converge.changed_content import rewrite
from agent.apply.converge.held_entries import is_of_adopting
from agent.apply.converge.refresh import NAMES_AT_ONCE, find_object
from agent.apply.run.one_run import Making, Run
from agent.core.ids import ObjectId
from agent.core.rows import decode_object, is_object
from agent.fs.confined import open_dir
from agent.fs.handles import handle_and_mount, mount_of_fd
from agent.fs.walk import entries

#: No further down in what was set aside: each level is an open descriptor.
_DEPTH = 256


def part_from_others(run: Run) -> None:
    """On entry every wanted name stands. On exit no object that is in doubt, and none of which something was set aside, has more
    names than it should, unless it failed."""
    if run.plan.trusted or run.plan.adopt:
        return
    if not run.output.adopted.may_patch():
        return  # nothing is written into what stands, so that nobody sees it at another name
    for id in _doubted(run):
        _part(run, id)
    for id in _set_aside_too(run):
        _part(run, id)


def _doubted(run: Run) -> Iterator[ObjectId]:
    if run.plan.doubted is not None:
        yield from sorted(run.plan.doubted)
        return
    for rows in run.wanted.view.rows_at(run.wanted.at):
        yield from (decode_object(raw).id for raw in rows if is_object(raw))


def _part(run: Run, id: ObjectId) -> None:
    with Making(run, id):
        row = run.wanted.row(id)
        if row is None or row.kind == stat.S_IFDIR or run.wanted.leaves(id):
            return
        names = run.wanted.view.names_of(id, run.wanted.at)
        found = find_object(run, row, names[:NAMES_AT_ONCE])
        if found is not None and found[3].st.st_nlink > len(names):
            rewrite(run, row, names, found)


def _set_aside_too(run: Run) -> Iterator[ObjectId]:
    """Objects of the tree that have a name in what was set aside. What was in the way of adopting stays a stranger's whole."""
    displaced = run.output.displaced
    for name in _names(run, displaced):
        if not is_of_adopting(name):
            yield from _below(run, displaced, name)


def _below(run: Run, parent: int, first: bytes) -> Iterator[ObjectId]:
    """Those at an entry of an open directory, and in it."""
    mount = mount_of_fd(parent)
    levels: list[tuple[int, Iterator[bytes]]] = [(parent, iter((first,)))]
    try:
        while levels:
            run.means.look_for_end()
            name = next(levels[-1][1], None)
            if name is None:
                _leave(levels)
                continue
            id, inside = _look(run, levels[-1][0], name, mount)
            if inside >= 0:
                levels.append((inside, _names(run, inside) if len(levels) < _DEPTH else iter(())))
            elif id is not None:
                yield id
    finally:
        while levels:
            _leave(levels)


def _names(run: Run, fd: int) -> Iterator[bytes]:
    with suppress(OSError):
        yield from entries(fd, run.output.scratch)


def _leave(levels: list[tuple[int, Iterator[bytes]]]) -> None:
    fd, _ = levels.pop()
    if levels:
        os.close(fd)


def _look(run: Run, fd: int, name: bytes, mount: int) -> tuple[ObjectId | None, int]:
    """Which object of ours has this name, and the open directory that stands at it, or -1. A mount is asked nothing."""
    try:
        handle, seen_through = handle_and_mount(fd, name)
        if seen_through != mount:
            return None, -1
        st = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISDIR(st.st_mode):
            return None, open_dir(fd, name)
    except OSError:
        return None, -1  # it is a stranger's, who may take it away
    return run.standing.ledger.id_of(handle) if st.st_nlink > 1 else None, -1
