"""One converge: the phases in their order (see the package)."""

from __future__ import annotations

import itertools

from agent.apply.converge.clear import clear, clear_adopted
from agent.apply.converge.keys import MEMORY_LIMIT, WorkSet
from agent.apply.converge.new_files import NewFiles
from agent.apply.converge.place import place
from agent.apply.converge.refresh import check_taken, forget_dead, refresh, refresh_root, refresh_short
from agent.apply.converge.run import Mirror
from agent.apply.converge.survey import forget_lineage, survey
from agent.apply.converge.sweep import sweep
from agent.apply.converge.tighten import tighten
from agent.core.rows import (
    encode_name,
    key_is_object,
    object_id_of_key,
    object_id_of_name,
    object_key,
    parent_and_name_of_key,
)
from agent.fs.walk import is_empty


def converge(mirror: Mirror, scratch: str | None) -> None:
    """Make the standby equal to the run's target. What fails alone is in the tally; what ends the run is raised
    (``StandbyFull``, ``StandbyFailed``, errors of our own stores), and everything is looked at again the next time."""
    mirror.world.empty_temp()
    mirror.holding = not is_empty(mirror.world.held)
    refresh_root(mirror)
    if mirror.run.survey:
        _by_survey(mirror)
    else:
        _by_keys(mirror, scratch)
    mirror.ledger.flush()


def _by_survey(mirror: Mirror) -> None:
    mirror.tally.total_entries = mirror.run.target.entries
    survey(mirror)
    _finish(mirror)
    forget_lineage(mirror)


def _by_keys(mirror: Mirror, scratch: str | None) -> None:
    work = WorkSet(scratch, MEMORY_LIMIT)
    try:
        _fill(mirror, work)
        mirror.tally.total_entries = len(work)
        _keep_rows(mirror, work)
        if mirror.run.trusted:
            mirror.moment = mirror.run.base
        tighten(mirror, work)
        clear(mirror, work)
        mirror.moment = mirror.at
        _place_all(mirror, work)
        refresh(mirror, work)
        refresh_short(mirror)
        _finish(mirror)
        forget_dead(mirror, work)
    finally:
        work.close()


def _finish(mirror: Mirror) -> None:
    while mirror.doubtful or mirror.hollow or mirror.holding:
        clear_adopted(mirror)
        if mirror.hollow:
            survey(mirror, mirror.hollow.pop())
            continue
        failed = mirror.tally.failed
        sweep(mirror)
        check_taken(mirror)
        if mirror.tally.failed > failed:
            break
    mirror.settle_touched()


def _fill(mirror: Mirror, work: WorkSet) -> None:
    run, at = mirror.run, mirror.at
    if run.trusted:
        work.fill(mirror.view.difference(run.base, at))
        return
    doubted = [object_key(id) for id in sorted(run.doubted or ())]
    for keys in itertools.chain(mirror.view.touched(run.base, at), [doubted]):
        work.fill([[(key, None, _wanted(mirror, key)) for key in keys]])


def _wanted(mirror: Mirror, key: bytes) -> bytes | None:
    """The row of a key as of the target."""
    if key_is_object(key):
        return mirror.view.object(object_id_of_key(key), mirror.at)
    parent, name = parent_and_name_of_key(key)
    id = mirror.view.child(parent, name, mirror.at)
    return encode_name(parent, name, id) if id is not None else None


def _keep_rows(mirror: Mirror, work: WorkSet) -> None:
    if not work.objects.spilled:
        mirror.rows = {object_id_of_key(key): (old, new) for batch in work.objects.batches() for key, old, new in batch}


def _place_all(mirror: Mirror, work: WorkSet) -> None:
    trusted = mirror.run.trusted
    new_files = NewFiles(mirror)
    for batch in work.names.batches():
        for key, old, new in batch:
            parent, name = parent_and_name_of_key(key)
            if not trusted:
                mirror.touch(parent)
            if new is None:
                continue
            id = object_id_of_name(new)
            expected = not trusted or old is not None
            if expected or not new_files.place(parent, name, id):
                place(mirror, parent, name, id, expect=expected)
        mirror.progress(len(batch))
