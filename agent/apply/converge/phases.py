"""One converge: the phases in their order (see the package)."""

from __future__ import annotations

import itertools

from agent.apply.converge.clear import clear, clear_adopted
from agent.apply.converge.parted import part_from_others
from agent.apply.converge.place import place
from agent.apply.converge.place_new import NewFiles
from agent.apply.converge.refresh import check_taken, forget_dead, refresh, refresh_root, refresh_short
from agent.apply.converge.survey import forget_lineage, survey
from agent.apply.converge.sweep import sweep
from agent.apply.converge.tighten import tighten
from agent.apply.converge.touched import finish_touched, touch
from agent.apply.run.changed_keys import WorkSet
from agent.apply.run.one_run import Run
from agent.core.rows import (
    object_id_of_key,
    object_id_of_name,
    object_key,
    parent_and_name_of_key,
)
from agent.fs.walk import is_empty


def converge(run: Run) -> None:
    """Make the root equal to the run's target. What fails alone is in the tally; what ends the run is raised
    (``RootFull``, ``RootFailed``, errors of our own stores), and everything is looked at again the next time.

    On entry the root equals the plan's base, where it is trusted, and holds anything else. On exit, if nothing failed, it
    equals the target but for late files and what the target owes, and every object is noted in local facts."""
    run.output.empty_temp()
    run.standing.holding = not is_empty(run.output.held)
    refresh_root(run)
    if run.plan.survey:
        _by_survey(run)
    else:
        _by_keys(run)
    run.standing.ledger.flush()


def _by_survey(run: Run) -> None:
    """On entry anything stands. On exit all that is wanted does, and what else stood is removed or displaced."""
    run.tally.total_entries = run.plan.target.entries
    survey(run)
    _finish(run)
    forget_lineage(run)


def _by_keys(run: Run) -> None:
    """On entry what stands differs from the target at the changed keys alone; on exit nowhere."""
    work = WorkSet(run.output.scratch, run.means.limits.keys)
    try:
        _fill(run, work)
        run.tally.total_entries = len(work)
        _keep_rows(run, work)
        if run.plan.trusted:
            run.standing.moment = run.plan.base
        tighten(run, work)
        clear(run, work)
        run.standing.moment = run.wanted.at
        _place_all(run, work)
        refresh(run, work)
        refresh_short(run)
        _finish(run)
        forget_dead(run, work)
    finally:
        work.close()


def _finish(run: Run) -> None:
    """On entry every wanted name was placed or failed. On exit nothing waits in ``.hikae/m`` and nothing is due, unless something
    failed; metadata of directories is set, which is the last change of them."""
    due = run.due
    while due.doubtful or due.hollow or run.standing.holding:
        clear_adopted(run)
        if due.hollow:
            survey(run, due.hollow.pop())
            continue
        failed = run.tally.failed
        sweep(run)
        check_taken(run)
        if run.tally.failed > failed:
            break
    if not run.tally.failed:
        part_from_others(run)
    finish_touched(run)


def _fill(run: Run, work: WorkSet) -> None:
    """The changed keys: where the base is believed, its difference to the target with both rows; else all keys that any commit
    touched, with the wanted row alone."""
    plan, wanted = run.plan, run.wanted
    if plan.trusted:
        work.fill(wanted.view.difference(plan.base, wanted.at))
        return
    doubted = [object_key(id) for id in sorted(plan.doubted or ())]
    for keys in itertools.chain(wanted.view.touched(*plan.span), [doubted]):
        work.fill([[(key, None, wanted.view.row(key, wanted.at)) for key in keys]])


def _keep_rows(run: Run, work: WorkSet) -> None:
    if not work.objects.spilled:
        batches = work.objects.batches()
        run.wanted.rows = {object_id_of_key(key): (old, new) for batch in batches for key, old, new in batch}


def _place_all(run: Run, work: WorkSet) -> None:
    """On entry no survivor stands where something else is wanted: it waits in ``.hikae/m``. On exit every name of the work set
    stands, or failed."""
    trusted = run.plan.trusted
    new_files = NewFiles(run)
    for batch in work.names.batches():
        for key, old, new in batch:
            parent, name = parent_and_name_of_key(key)
            if not trusted:
                touch(run, parent)
            if new is None:
                continue
            id = object_id_of_name(new)
            expected = not trusted or old is not None
            if expected or not new_files.place(parent, name, id):
                place(run, parent, name, id, expect=expected)
        run.tally.progress(len(batch))
