"""The first phase: take away what is not wanted where it stands. Survivors wait in ``.hikae/m``, the dead go.

Keys come backwards, so entries mostly before their directories (a directory's id is mostly lower than that of
what was made in it); where not, a directory waits in ``.hikae/m`` with what is in it and is looked through there.
"""

from __future__ import annotations

import stat

from agent.apply.converge.fate import Fate, KnownBy, Wanted, fate
from agent.apply.converge.holding import carry_out
from agent.apply.converge.keys import WorkSet
from agent.apply.converge.place import adopt_directory, is_takeable
from agent.apply.converge.run import Attempt, Found, Mirror
from agent.apply.converge.untouched import is_untouched
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, decode_name, parent_and_name_of_key
from agent.fs.walk import entries


def clear(mirror: Mirror, work: WorkSet) -> None:
    """Clear every name of the work set. In a redo directories may stand at places that only a later key leads to: then
    once more, until nothing new is found."""
    while True:
        missed, learned = _clear_once(mirror, work)
        clear_adopted(mirror)
        if mirror.run.trusted or not missed or not learned:
            return


def _clear_once(mirror: Mirror, work: WorkSet) -> tuple[int, int]:
    missed = learned = 0
    for batch in work.names.batches(backwards=True):
        for key, old, new in batch:
            if mirror.run.trusted and old is None:
                continue
            parent, name = parent_and_name_of_key(key)
            try:
                fd = mirror.fd(parent) if _is_known(mirror, parent) else None
            except OSError:
                fd = None
            if fd is None:
                missed += 1
                continue
            with Attempt(mirror, parent, parent, name):
                learned += clear_entry(mirror, fd, parent, name, decode_name(new).object if new else None)
    return missed, learned


def _is_known(mirror: Mirror, id: ObjectId) -> bool:
    # Unknown directories are looked through when they are adopted, not before.
    return id == ROOT or mirror.run.trusted or mirror.ledger.handle_of(id) is not None or mirror.is_held(id)


def clear_entry(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, wanted: ObjectId | None) -> bool:
    """Clear one name at which ``wanted`` is to stand, or nothing. Whether it is now known where one more directory is."""
    found = mirror.look(fd, parent, name)
    if found is None:
        return False
    directory = stat.S_ISDIR(found.st.st_mode)
    if wanted is None and is_untouched(mirror, parent, name, found):
        return False
    alive = found.id is not None and found.id != wanted and mirror.raw(found.id) is not None
    kind = _wanted(mirror, found, wanted)
    if directory and wanted is not None and not mirror.run.trusted and found.identity is not KnownBy.SURE:
        row = mirror.row(wanted)
        if row is not None and row.kind == stat.S_IFDIR and _may_be(mirror, fd, row, found, kind):
            # Before anything is placed it must be known what is inside.
            adopt_directory(mirror, fd, name, row, found)
            return True
    verdict = fate(found.identity, directory=directory, alive=alive, wanted=kind)
    done = carry_out(mirror, verdict, fd, parent, name, found)
    return done and directory and verdict in (Fate.KEEP, Fate.REMOVE)


def _may_be(mirror: Mirror, fd: int, row: ObjectRow, found: Found, kind: Wanted) -> bool:
    return (found.id is None or kind is Wanted.ITSELF) and is_takeable(mirror, fd, row, found)


def _wanted(mirror: Mirror, found: Found, id: ObjectId | None) -> Wanted:
    row = mirror.row(id) if id is not None else None
    if row is None:
        return Wanted.NOTHING
    if found.id == row.id and found.kind == row.kind and found.identity is not KnownBy.FOREIGN:
        return Wanted.ITSELF
    return Wanted.DIRECTORY if row.kind == stat.S_IFDIR else Wanted.OTHER


def clear_adopted(mirror: Mirror) -> None:
    """Look through the directories that were adopted unknown: what is not wanted in them goes."""
    while mirror.doubtful:
        id = mirror.doubtful.pop()
        with Attempt(mirror, id):
            fd = mirror.fd(id)
            for name in entries(fd, mirror.world.scratch):
                if mirror.view.child(id, name, mirror.at) is None:
                    clear_entry(mirror, fd, id, name, None)
