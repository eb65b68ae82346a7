"""Objects that stay and change: content first, then metadata. Directories' metadata waits until the end."""

from __future__ import annotations

import os
import stat
from itertools import islice

from agent.apply.converge.changed_content import (
    EntryNames,
    StandsAt,
    changed_in_place,
    relink,
    remake,
    set_its_metadata,
)
from agent.apply.converge.place import place
from agent.apply.converge.taken import holds_content
from agent.apply.converge.touched import touch
from agent.apply.output.unkept import LEFT_OUT
from agent.apply.run.changed_keys import WorkSet
from agent.apply.run.fate import KnownBy
from agent.apply.run.one_run import Attempt, Making, Run
from agent.apply.run.standing_entries import Found
from agent.core.ids import NOTHING, ROOT
from agent.core.rows import ObjectRow, decode_object, object_id_of_key

NAMES_AT_ONCE = 1000


def refresh(run: Run, work: WorkSet) -> None:
    """Make content and metadata of every object in the work set as wanted."""
    for batch in work.objects.batches():
        for key, old, new in batch:
            id = object_id_of_key(key)
            if new is not None and id not in run.plan.short and (old is not None or not run.plan.trusted):
                with Making(run, id):
                    refresh_object(run, decode_object(new), decode_object(old) if old is not None else None)
        run.tally.progress(len(batch))


def refresh_short(run: Run) -> None:
    """Objects of which an older version stands, or nothing: as wanted, if by now all of them is here."""
    for id in sorted(run.plan.short):
        with Making(run, id):
            row = run.wanted.row(id)
            if row is not None:
                refresh_object(run, row, None)


def refresh_object(run: Run, row: ObjectRow, old: ObjectRow | None) -> None:
    """``old``: what stands there for certain; None: nothing is believed, so content is read and compared."""
    if row.kind == stat.S_IFDIR:
        touch(run, row.id)
        return
    names = run.wanted.view.names_of(row.id, run.wanted.at)
    if not names:
        return
    if old is not None and old.kind == row.kind and not run.standing.was_unkept(row.id) & LEFT_OUT:
        found = find_object(run, row, names[:NAMES_AT_ONCE])
        if found is not None:
            _change(run, row, old, names, found)
            return
    run.late.drop(row.id)
    unify_names(run, row, names)


def find_object(run: Run, row: ObjectRow, names: EntryNames) -> StandsAt | None:
    """Where the object stands for certain."""
    for parent, name in names:
        try:
            fd = run.standing.fd(parent)
        except OSError:
            continue
        found = run.standing.look(fd, parent, name)
        if found is not None and found.id == row.id and found.identity is KnownBy.SURE and found.kind == row.kind:
            return fd, parent, name, found
    return None


def _change(run: Run, row: ObjectRow, old: ObjectRow, names: EntryNames, found: StandsAt) -> None:
    if row.id in run.late or (row.kind == stat.S_IFREG and run.wanted.leaves(row.id)):
        return
    believed = run.standing.ledger.is_as_noted(row.id, found[3].st)
    if row.content != old.content:
        if run.plan.trusted and run.late.defer(old, row):
            return
        if not changed_in_place(run, row, old, names, found):
            return
    set_its_metadata(run, row, old, found, believed=believed)


def unify_names(run: Run, row: ObjectRow, names: EntryNames) -> None:
    """Nothing is believed: find the object or build it, compare its content, and make every name lead to it."""
    for parent, _ in names:
        touch(run, parent)
    found = find_object(run, row, names)
    if row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        if found is not None and len(names) > 1:
            relink(run, row, names, found[1:3])
        return
    if found is None:
        place(run, *names[0], row.id, expect=True)
        found = find_object(run, row, list(islice(names, 1)))
    if found is None:
        return  # reported by place
    fd, parent, name, entry = found
    is_the_old_one = True
    if row.id not in run.standing.done and not _is_as_wanted(run, row, fd, name, entry):
        is_the_old_one = remake(run, row, fd, parent, name, entry)
    if is_the_old_one:
        run.standing.set_metadata(row, None, fd, name, entry.handle)
    run.standing.finished(row.id)
    if len(names) > 1:
        relink(run, row, names, (parent, name))


def _is_as_wanted(run: Run, row: ObjectRow, fd: int, name: bytes, found: Found) -> bool:
    if row.kind == stat.S_IFREG:
        return found.st.st_size == row.size and holds_content(run, fd, name, row, found)
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    return found.st.st_rdev == row.rdev if row.kind in (stat.S_IFCHR, stat.S_IFBLK) else True


def check_taken(run: Run) -> None:
    """Look into the files that came back from ``.hikae/m`` with nobody knowing what is in them."""
    while run.due.unchecked:
        id = run.due.unchecked.pop()
        with Attempt(run, id):
            row = run.wanted.row(id)
            if row is not None:
                refresh_object(run, row, None)


def forget_dead(run: Run, work: WorkSet) -> None:
    """Drop what is known of objects that are no more; only when nothing of them can stand anywhere."""
    for batch in work.objects.batches():
        for key, _, new in batch:
            if new is None:
                run.standing.ledger.forget(object_id_of_key(key))


def refresh_root(run: Run) -> None:
    """The root's own metadata, when our directory was made in it just now or nothing is believed; at first, always: nobody
    places the root."""
    if run.output.fresh or not run.plan.trusted or run.plan.base == NOTHING:
        touch(run, ROOT)
