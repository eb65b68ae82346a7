"""A step of a late file: more of its next version, beside newer commits, until it is there as a whole."""

from __future__ import annotations

from agent.apply.converge.changed_content import (
    EntryNames,
    StandsAt,
    opened_to_patch,
    rewrite,
    set_its_metadata,
    worth_patching,
)
from agent.apply.converge.refresh import NAMES_AT_ONCE, find_object, unify_names
from agent.apply.run.late_files import LateFile, Writing
from agent.apply.run.one_run import Making, Run
from agent.apply.writing import file_content
from agent.apply.writing.writer import ContentWriter
from agent.chunking.difference import Differences
from agent.core.rows import ObjectRow


def go_on(run: Run) -> None:
    """A step of the late file whose turn it is, where all but such files is as the run's target wants it."""
    id, file = run.late.first()
    row = run.wanted.row(id)
    names = run.wanted.view.names_of(id, run.wanted.at)
    if row is None or not names:
        run.late.drop(id)
        return
    with Making(run, id):
        if file.writing is None and run.wanted.leaves(id):
            # The version before stands whole.
            run.late.drop(id)
            return
        found = find_object(run, row, names[:NAMES_AT_ONCE])
        if found is None:
            run.late.drop(id)
            unify_names(run, row, names)
            return
        if file.writing is None and row.content == file.holds.content:
            # It was changed back, or comes to its turn again.
            run.late.drop(id)
            set_its_metadata(run, row, None, found, believed=run.standing.ledger.is_as_noted(id, found[3].st))
            return
        if file.writing is None:
            file.writing = _begun(run, row, file.holds, names, found)
        if file.writing is not None:
            _write_some(run, row, file, file.writing, names, found)


def _begun(run: Run, row: ObjectRow, holds: ObjectRow, names: EntryNames, found: StandsAt) -> Writing | None:
    """A late file's next version on its way; None where it had to be written at once."""
    fd, _, name, entry = found
    differences = Differences(holds.content, row.content, run.means.read)
    if worth_patching(run, row, holds, len(names), differences):
        opened = opened_to_patch(run, row, holds, fd, name, entry)
        if opened >= 0:
            writer = _late_writer(run, opened)
            steps = file_content.patching(writer, differences, row.size, run.means.read, run.means.patch_of)
            believed = run.standing.ledger.is_as_noted(row.id, entry.st)
            return Writing(opened, row, steps, False, believed, run.means.limits)
    run.output.step("create")
    made = run.output.create_nameless(run.output.temp)
    if made < 0:
        rewrite(run, row, names, found)
        return None
    steps = file_content.writing(_late_writer(run, made), row, run.means.read)
    return Writing(made, row, steps, True, True, run.means.limits)


def _late_writer(run: Run, fd: int) -> ContentWriter:
    """A writer that syncs at each step: other commits are synced meanwhile and must not wait for a late file."""
    return ContentWriter(fd, run.means.limits.slice)


def _write_some(run: Run, row: ObjectRow, file: LateFile, writing: Writing, names: EntryNames, found: StandsAt) -> None:
    run.output.step("patch")
    written, is_whole = writing.go_on(run.means.clock.monotonic)
    run.tally.done_bytes += written
    if not is_whole:
        return
    if writing.aside:
        # A version goes with its own owner and mode, whatever the next one has.
        one = row if row.content == writing.new.content else writing.new
        rewrite(run, one, names, found, content_fd=writing.fd)
    writing.close()
    file.holds, file.writing = writing.new, None
    if row.content != writing.new.content:
        run.late.again(row.id)
        return
    run.late.drop(row.id)
    if not writing.aside:
        set_its_metadata(run, row, None, found, believed=writing.believed)
