"""The last look of a redo: what has a further name at which it is not wanted, and gets its names to itself.

What a run that was cut short had made may be taken for a stranger's and set aside with names of objects that stand in the tree by
then; a stranger may have linked one of ours. Through such a name a change in place would reach what is no longer ours, and the
other way round. Nothing that was set aside is taken from it: the object of the tree is made anew.

All of them stand as wanted, so nothing depends on it: where there is no room, or a chunk is lost, one keeps the names that it
has, and that is told. No commit leads a redo to them either: they are in doubt, durably, before one is touched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from agent.apply.converge.changed_content import EntryNames, StandsAt, rewrite
from agent.apply.converge.held_entries import is_of_adopting
from agent.apply.converge.refresh import NAMES_AT_ONCE, find_object
from agent.apply.converge.touched import finish_touched
from agent.apply.output.directory import whole
from agent.apply.paths import object_at
from agent.apply.results import ChunkLost, RootFailed
from agent.apply.run.one_run import Attempt, Run
from agent.core.errors import WireError
from agent.core.ids import ObjectId
from agent.core.problem import Severity
from agent.core.problem_codes import FURTHER_NAMES
from agent.core.rows import ObjectRow, decode_object, is_object
from agent.fs.confined import open_dir
from agent.fs.handles import handle_and_mount, mount_of_fd
from agent.fs.reserve import room_beyond_reserve
from agent.fs.walk import entries

#: No further down in what was set aside: each level is an open descriptor.
_DEPTH = 256
#: So many are in doubt together; then what was made is synced.
_AT_ONCE = 1000


def part_from_others(run: Run) -> None:
    """On entry every wanted name stands. On exit no object that is in doubt has more names than it should, and none has one in
    what was set aside, but for those that are told."""
    if run.plan.trusted or run.plan.adopt:
        return
    if not run.output.adopted.may_patch():
        return  # nothing is written into what stands, so that nobody sees it at another name
    told = _still_told(run)
    found = _with_others(run, told)
    while some := frozenset(islice(found, _AT_ONCE)):
        run.mistrust(some)
        for id in sorted(some):
            _part(run, id)
        if run.tally.failed:
            return  # they stay in doubt
        # Those that follow are in doubt instead of these, which nothing is left to be done to by then.
        finish_touched(run)
        run.standing.ledger.flush()
        run.output.sync()


def _still_told(run: Run) -> list[ObjectId]:
    """What was told to have further names, and has: it is tried once more. Of the others it is told no more."""
    board, still = run.means.board, dict[bytes, ObjectId]()
    for problem in board.listed()[0] if board.has(FURTHER_NAMES) else ():
        if problem.code == FURTHER_NAMES:
            id = object_at(run.wanted.view, problem.path, run.wanted.at)
            if id is not None and _has_others(run, id):
                still[problem.path] = id
    board.keep_only(FURTHER_NAMES, still)
    return list(still.values())


def _with_others(run: Run, told: Sequence[ObjectId]) -> Iterator[ObjectId]:
    yield from told
    for id in _doubted(run):
        run.means.look_for_end()
        if _has_others(run, id):
            yield id
    yield from _set_aside_too(run)


def _doubted(run: Run) -> Iterator[ObjectId]:
    if run.plan.doubted is not None:
        yield from sorted(run.plan.doubted)
        return
    for rows in run.wanted.view.rows_at(run.wanted.at):
        yield from (decode_object(raw).id for raw in rows if is_object(raw))


def _has_others(run: Run, id: ObjectId) -> bool:
    with Attempt(run, id):
        stands = _standing(run, id)
        return stands is not None and stands[2][3].st.st_nlink > len(stands[1])
    return False


def _standing(run: Run, id: ObjectId) -> tuple[ObjectRow, EntryNames, StandsAt] | None:
    """An object that may have further names: with those that it should have, and one at which it stands."""
    row = run.wanted.row(id)
    if row is None or row.kind == stat.S_IFDIR or run.wanted.leaves(id):
        return None
    names = run.wanted.view.names_of(id, run.wanted.at)
    found = find_object(run, row, names[:NAMES_AT_ONCE])
    return (row, names, found) if found is not None else None


def _part(run: Run, id: ObjectId) -> None:
    with Attempt(run, id):
        stands = _standing(run, id)
        if stands is None:
            return
        if stands[2][3].st.st_blocks * 512 > room_beyond_reserve(f"/proc/self/fd/{run.output.root}"):
            _keeps_them(run, id, f"{run.output.what}'s filesystem has too little room")
            return
        try:
            rewrite(run, *stands)
            run.means.board.clear(FURTHER_NAMES, run.wanted.view.path_of(id, run.wanted.at) or b"")
        except (ChunkLost, WireError) as error:
            _keeps_them(run, id, error.sentence)
        except OSError as error:
            failed = isinstance(whole(error, run.output.path, run.output.what), RootFailed)
            if failed or not _stands_still(run, id, stands[2]):
                raise
            _keeps_them(run, id, error.strerror or str(error))


def _stands_still(run: Run, id: ObjectId, before: StandsAt) -> bool:
    """Whether nobody put something else where it was: that is mended by the next redo, which is led there by the doubt."""
    stands = _standing(run, id)
    return stands is not None and stands[2][1:3] == before[1:3]


def _keeps_them(run: Run, id: ObjectId, reason: str) -> None:
    """It could not be made anew; as long as that is so the old one stands at all its names."""
    run.output.clear_temp()
    message = f"has a further name where none is wanted, and could not be made anew: {reason}"
    remedy = "mend that, or remove the further name; then hikae verify --repair"
    run.problem(FURTHER_NAMES, run.wanted.view.path_of(id, run.wanted.at) or b"", message, remedy, Severity.WARNING)


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
