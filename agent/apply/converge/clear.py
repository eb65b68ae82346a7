"""The first phase: take away what is not wanted where it stands. Survivors wait in ``.hikae/m``, the dead go.

Keys come backwards, so entries mostly before their directories (a directory's id is mostly lower than that of
what was made in it); where not, a directory waits in ``.hikae/m`` with what is in it and is looked through there.
"""

from __future__ import annotations

import stat

from agent.apply.converge.held_entries import carry_out
from agent.apply.converge.taken import adopt_directory, is_takeable
from agent.apply.converge.untouched import is_untouched
from agent.apply.run.changed_keys import WorkSet
from agent.apply.run.fate import Fate, KnownBy, Wanted, fate
from agent.apply.run.one_run import Attempt, Run
from agent.apply.run.standing_entries import Found
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, decode_name, parent_and_name_of_key
from agent.fs.walk import entries


def clear(run: Run, work: WorkSet) -> None:
    """Clear every name of the work set. In a redo directories may stand at places that only a later key leads to: then
    once more, until nothing new is found."""
    while True:
        missed, learned = _clear_once(run, work)
        clear_adopted(run)
        if run.plan.trusted or not missed or not learned:
            return


def _clear_once(run: Run, work: WorkSet) -> tuple[int, int]:
    missed = learned = 0
    for batch in work.names.batches(backwards=True):
        for key, old, new in batch:
            if run.plan.trusted and old is None:
                continue
            parent, name = parent_and_name_of_key(key)
            try:
                fd = run.standing.fd(parent) if _is_known(run, parent) else None
            except OSError:
                fd = None
            if fd is None:
                missed += 1
                continue
            with Attempt(run, parent, parent, name):
                learned += clear_entry(run, fd, parent, name, decode_name(new).object if new else None)
    return missed, learned


def _is_known(run: Run, id: ObjectId) -> bool:
    # Unknown directories are looked through when they are adopted, not before.
    return id == ROOT or run.plan.trusted or run.standing.ledger.handle_of(id) is not None or run.standing.is_held(id)


def clear_entry(run: Run, fd: int, parent: ObjectId, name: bytes, wanted: ObjectId | None) -> bool:
    """Clear one name at which ``wanted`` is to stand, or nothing. Whether it is now known where one more directory is."""
    found = run.standing.look(fd, parent, name)
    if found is None:
        return False
    directory = stat.S_ISDIR(found.st.st_mode)
    if wanted is None and is_untouched(run, parent, name, found):
        return False
    alive = found.id is not None and found.id != wanted and run.wanted.raw(found.id) is not None
    kind = _wanted(run, found, wanted)
    if directory and wanted is not None and not run.plan.trusted and found.identity is not KnownBy.SURE:
        row = run.wanted.row(wanted)
        if row is not None and row.kind == stat.S_IFDIR and _may_be(run, fd, row, found, kind):
            # Before anything is placed it must be known what is inside.
            adopt_directory(run, fd, name, row, found)
            return True
    verdict = fate(found.identity, directory=directory, alive=alive, wanted=kind)
    done = carry_out(run, verdict, fd, parent, name, found)
    return done and directory and verdict in (Fate.KEEP, Fate.REMOVE)


def _may_be(run: Run, fd: int, row: ObjectRow, found: Found, kind: Wanted) -> bool:
    return (found.id is None or kind is Wanted.ITSELF) and is_takeable(run, fd, row, found)


def _wanted(run: Run, found: Found, id: ObjectId | None) -> Wanted:
    row = run.wanted.row(id) if id is not None else None
    if row is None:
        return Wanted.NOTHING
    if found.id == row.id and found.kind == row.kind and found.identity is not KnownBy.FOREIGN:
        return Wanted.ITSELF
    return Wanted.DIRECTORY if row.kind == stat.S_IFDIR else Wanted.OTHER


def clear_adopted(run: Run) -> None:
    """Look through the directories that were adopted unknown: what is not wanted in them goes."""
    while run.due.doubtful:
        id = run.due.doubtful.pop()
        with Attempt(run, id):
            fd = run.standing.fd(id)
            for name in entries(fd, run.output.scratch):
                if run.wanted.view.child(id, name, run.wanted.at) is None:
                    clear_entry(run, fd, id, name, None)
