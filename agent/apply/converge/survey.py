"""The whole tree, when no difference can be believed: a broken lineage (every object has a new id), lost local facts.

Walks the wanted tree from the top and lays it beside what stands. What is of the right type at the right name is adopted,
without reading where local facts and the old row together say that it is equal. Neither tree is ever held in memory.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from agent.apply.converge.clear import clear_entry
from agent.apply.converge.fate import KnownBy
from agent.apply.converge.place import equals, is_takeable, place
from agent.apply.converge.refresh import check_taken, remake
from agent.apply.converge.run import Attempt, Found, Mirror
from agent.apply.output.directory import LOST_AND_FOUND
from agent.core.ids import NOTHING, ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR, ObjectRow, decode_object, is_object
from agent.fs.walk import entries

_PAGE = 500


def survey(mirror: Mirror, start: ObjectId = ROOT) -> None:
    """Make everything below ``start`` as wanted, whatever stands there."""
    levels: list[Iterator[ObjectId]] = [iter((start,))]
    while levels:
        id = next(levels[-1], None)
        if id is None:
            levels.pop()
            continue
        _survey_directory(mirror, id)
        levels.append(_directories_below(mirror, id))


def _survey_directory(mirror: Mirror, id: ObjectId) -> None:
    with Attempt(mirror, id):
        fd = mirror.fd(id)
        mirror.touch(id)
        for name in entries(fd, mirror.world.scratch):
            if id == ROOT and (name == PRIVATE_DIR or (name == LOST_AND_FOUND and not _is_wanted(mirror, name))):
                continue
            with Attempt(mirror, id, id, name):
                _match(mirror, mirror.fd(id), id, name)
        for name, child in _children(mirror, id):
            place(mirror, id, name, child, expect=True)
            check_taken(mirror)
            mirror.progress(1)


def _is_wanted(mirror: Mirror, name: bytes) -> bool:
    return mirror.view.child(ROOT, name, mirror.at) is not None


def _children(mirror: Mirror, id: ObjectId) -> Iterator[tuple[bytes, ObjectId]]:
    after = b""
    while page := mirror.view.children(id, mirror.at, after, _PAGE):
        yield from page
        after = page[-1][0]


def _directories_below(mirror: Mirror, id: ObjectId) -> Iterator[ObjectId]:
    for name, child in _children(mirror, id):
        row = mirror.row(child)
        # By one name only: a hostile peer's rows may give a directory several, even inside itself.
        if row is not None and row.kind == stat.S_IFDIR and mirror.view.names_of(child, mirror.at)[0] == (id, name):
            yield child


def _match(mirror: Mirror, fd: int, parent: ObjectId, name: bytes) -> None:
    """An entry that stands: adopt it for what is wanted at its name, or clear it away."""
    wanted = mirror.view.child(parent, name, mirror.at)
    row = mirror.row(wanted) if wanted is not None else None
    found = mirror.look(fd, parent, name)
    if found is None:
        return
    if row is None or found.kind != row.kind or _is_another(mirror, fd, found, row):
        clear_entry(mirror, fd, parent, name, wanted)
    elif row.kind == stat.S_IFDIR:
        _take_over(mirror, row, found)
    else:
        _adopt_file(mirror, fd, parent, name, row, found)


def _is_another(mirror: Mirror, fd: int, found: Found, row: ObjectRow) -> bool:
    """Whether the entry is something else: it already serves another object, ours stands elsewhere, or it is somebody's."""
    if found.identity is not KnownBy.SURE and not is_takeable(mirror, fd, row, found):
        return True
    if found.id == row.id:
        return found.identity is not KnownBy.SURE and mirror.ledger.handle_of(row.id) is not None
    if found.identity is KnownBy.SURE and found.id is not None and mirror.raw(found.id) is not None:
        return True
    return mirror.ledger.handle_of(row.id) is not None


def _take_over(mirror: Mirror, row: ObjectRow, found: Found) -> None:
    if found.id is not None and found.id != row.id and found.identity is KnownBy.SURE:
        mirror.ledger.forget(found.id)
    mirror.ledger.record(row.id, found.handle, found.st)


def _adopt_file(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> None:
    known = row.id in mirror.done or _is_known_equal(mirror, row, found) or _was_indexed_equal(mirror, row, found)
    if not known and mirror.leaves(row.id):
        if found.identity is KnownBy.FOREIGN and not mirror.run.adopt:
            mirror.displace(fd, parent, name)
        else:
            _take_over(mirror, row, found)
        return
    if not known and not equals(mirror, fd, name, row, found):
        if found.identity is KnownBy.FOREIGN and not mirror.run.adopt:
            mirror.displace(fd, parent, name)
            return
        if not remake(mirror, row, fd, parent, name, found):
            return
    _take_over(mirror, row, found)
    mirror.set_metadata(row, None, fd, name, found.handle)
    mirror.stands(row.id, parent, name)
    mirror.finished(row.id)


def _was_indexed_equal(mirror: Mirror, row: ObjectRow, found: Found) -> bool:
    """Read when the tree was adopted, unchanged since, and cut as the primary cuts."""
    if row.kind != stat.S_IFREG or not mirror.run.adopt:
        return False
    return row.size == found.st.st_size and mirror.world.adopted.content(found.handle, found.st) == row.content


def _is_known_equal(mirror: Mirror, row: ObjectRow, found: Found) -> bool:
    """Equal without a look at the bytes: nobody changed what we wrote, and whatever we can have written is what is wanted."""
    doubted = mirror.run.doubted
    if doubted is None or row.id in doubted or found.id is None or found.identity is not KnownBy.SURE:
        return False
    local, st = mirror.ledger.row_of(found.id), found.st
    if local is None or (local.ino, local.ctime, local.mtime) != (st.st_ino, st.st_ctime_ns, st.st_mtime_ns):
        return False
    moments = (mirror.run.base, *mirror.run.attempts)
    raws = [mirror.view.object(found.id, moment) for moment in moments if moment != NOTHING]
    written = {(old.kind, old.content, old.rdev) for old in map(decode_object, filter(None, raws))}
    return written == {(row.kind, row.content, row.rdev)}


def forget_lineage(mirror: Mirror) -> None:
    """Drop what is known of the objects of the old lineage that are no more."""
    if mirror.run.base == NOTHING:
        return
    for rows in mirror.view.rows_at(mirror.run.base):
        for raw in rows:
            if is_object(raw):
                id = decode_object(raw).id
                if mirror.raw(id) is None:
                    mirror.ledger.forget(id)
