"""The whole tree, when no difference can be believed: a broken lineage (every object has a new id), lost local facts.

Walks the wanted tree from the top and lays it beside what stands. What is of the right type at the right name is adopted,
without reading where local facts and the old row together say that it is equal. Neither tree is ever held in memory.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from agent.apply.converge.changed_content import remake
from agent.apply.converge.clear import clear_entry
from agent.apply.converge.held_entries import displace
from agent.apply.converge.place import place
from agent.apply.converge.refresh import check_taken
from agent.apply.converge.taken import equals, is_takeable
from agent.apply.converge.touched import touch
from agent.apply.output.directory import LOST_AND_FOUND
from agent.apply.run.fate import KnownBy
from agent.apply.run.one_run import Attempt, Run
from agent.apply.run.standing_entries import Found
from agent.core.ids import NOTHING, ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR, ObjectRow, decode_object, is_object
from agent.fs.walk import entries

_PAGE = 500


def survey(run: Run, start: ObjectId = ROOT) -> None:
    """Make everything below ``start`` as wanted, whatever stands there."""
    levels: list[Iterator[ObjectId]] = [iter((start,))]
    while levels:
        id = next(levels[-1], None)
        if id is None:
            levels.pop()
            continue
        _survey_directory(run, id)
        levels.append(_directories_below(run, id))


def _survey_directory(run: Run, id: ObjectId) -> None:
    with Attempt(run, id):
        fd = run.standing.fd(id)
        touch(run, id)
        for name in entries(fd, run.output.scratch):
            if id == ROOT and (name == PRIVATE_DIR or (name == LOST_AND_FOUND and not _is_wanted(run, name))):
                continue
            with Attempt(run, id, id, name):
                _match(run, run.standing.fd(id), id, name)
        for name, child in _children(run, id):
            place(run, id, name, child, expect=True)
            check_taken(run)
            run.tally.progress(1)


def _is_wanted(run: Run, name: bytes) -> bool:
    return run.wanted.view.child(ROOT, name, run.wanted.at) is not None


def _children(run: Run, id: ObjectId) -> Iterator[tuple[bytes, ObjectId]]:
    after = b""
    while page := run.wanted.view.children(id, run.wanted.at, after, _PAGE):
        yield from page
        after = page[-1][0]


def _directories_below(run: Run, id: ObjectId) -> Iterator[ObjectId]:
    for name, child in _children(run, id):
        row = run.wanted.row(child)
        # By one name only: a hostile peer's rows may give a directory several, even inside itself.
        if (
            row is not None
            and row.kind == stat.S_IFDIR
            and run.wanted.view.names_of(child, run.wanted.at)[0] == (id, name)
        ):
            yield child


def _match(run: Run, fd: int, parent: ObjectId, name: bytes) -> None:
    """An entry that stands: adopt it for what is wanted at its name, or clear it away."""
    wanted = run.wanted.view.child(parent, name, run.wanted.at)
    row = run.wanted.row(wanted) if wanted is not None else None
    found = run.standing.look(fd, parent, name)
    if found is None:
        return
    if row is None or found.kind != row.kind or _is_another(run, fd, found, row):
        clear_entry(run, fd, parent, name, wanted)
    elif row.kind == stat.S_IFDIR:
        _take_over(run, row, found)
    else:
        _adopt_file(run, fd, parent, name, row, found)


def _is_another(run: Run, fd: int, found: Found, row: ObjectRow) -> bool:
    """Whether the entry is something else: it already serves another object, ours stands elsewhere, or it is somebody's."""
    if found.identity is not KnownBy.SURE and not is_takeable(run, fd, row, found):
        return True
    if found.identity is not KnownBy.SURE and run.standing.is_held(row.id):
        return True  # the object itself waits in .hikae/m, also where no local fact says so any more
    if found.id == row.id:
        return found.identity is not KnownBy.SURE and run.standing.ledger.handle_of(row.id) is not None
    if found.identity is KnownBy.SURE and found.id is not None and run.wanted.raw(found.id) is not None:
        return True
    return run.standing.ledger.handle_of(row.id) is not None


def _take_over(run: Run, row: ObjectRow, found: Found) -> None:
    if found.id is not None and found.id != row.id and found.identity is KnownBy.SURE:
        run.standing.ledger.forget(found.id)
    run.standing.ledger.record(row.id, found.handle, found.st)


def _adopt_file(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> None:
    known = row.id in run.standing.done or _is_known_equal(run, row, found) or _was_indexed_equal(run, row, found)
    if not known and run.wanted.leaves(row.id):
        if found.identity is KnownBy.FOREIGN and not run.plan.adopt:
            displace(run, fd, parent, name)
        else:
            _take_over(run, row, found)
        return
    if not known and not equals(run, fd, name, row, found):
        if found.identity is KnownBy.FOREIGN and not run.plan.adopt:
            displace(run, fd, parent, name)
            return
        if not remake(run, row, fd, parent, name, found):
            return
    _take_over(run, row, found)
    run.standing.set_metadata(row, None, fd, name, found.handle)
    run.standing.stands(row.id, parent, name)
    run.standing.finished(row.id)


def _was_indexed_equal(run: Run, row: ObjectRow, found: Found) -> bool:
    """Read when the tree was adopted, unchanged since, and cut as the primary cuts."""
    if row.kind != stat.S_IFREG or not run.plan.adopt:
        return False
    return row.size == found.st.st_size and run.output.adopted.content(found.handle, found.st) == row.content


def _is_known_equal(run: Run, row: ObjectRow, found: Found) -> bool:
    """Equal without a look at the bytes: nobody changed what we wrote, and whatever we can have written is what is wanted."""
    doubted = run.plan.doubted
    if doubted is None or row.id in doubted or found.id is None or found.identity is not KnownBy.SURE:
        return False
    local, st = run.standing.ledger.row_of(found.id), found.st
    if local is None or (local.ino, local.ctime, local.mtime) != (st.st_ino, st.st_ctime_ns, st.st_mtime_ns):
        return False
    moments = (run.plan.base, *run.plan.attempts)
    raws = [run.wanted.view.object(found.id, moment) for moment in moments if moment != NOTHING]
    written = {(old.kind, old.content, old.rdev) for old in map(decode_object, filter(None, raws))}
    return written == {(row.kind, row.content, row.rdev)}


def forget_lineage(run: Run) -> None:
    """Drop what is known of the objects of the old lineage that are no more."""
    if run.plan.base == NOTHING:
        return
    for rows in run.wanted.view.rows_at(run.plan.base):
        for raw in rows:
            if is_object(raw):
                id = decode_object(raw).id
                if run.wanted.raw(id) is None:
                    run.standing.ledger.forget(id)
