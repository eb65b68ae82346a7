"""Metadata that waits until everything inside is done: of directories, and of what lost its flags for a move."""

from __future__ import annotations

import os
import stat

from agent.apply.run.one_run import Attempt, Run
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.metadata import apply_metadata

_TOUCHED_LIMIT = 50_000


def touch(run: Run, id: ObjectId) -> None:
    """The directory's entries changed, or metadata waits for the end: it is set when everything inside is done."""
    touched = run.due.touched
    touched.add(id)
    if len(touched) >= _TOUCHED_LIMIT:
        finish_touched(run)


def restore_flags(run: Run, id: ObjectId) -> None:
    """One of the object's names is moved or removed, for which its flags may have to be lifted."""
    row = run.wanted.row(id)
    if row is not None and row.flags:
        touch(run, id)


def finish_touched(run: Run) -> None:
    """Set the metadata of every touched object. One touched again later is set again.

    On entry all that was touched stands at its place or is told as a problem; on exit nothing is touched."""
    for id in sorted(run.due.touched):
        row = run.wanted.row(id)
        if row is None or (row.kind == stat.S_IFREG and run.wanted.leaves(id)):
            continue
        with Attempt(run, id):
            _finish(run, id, row)
    run.due.touched.clear()


def _finish(run: Run, id: ObjectId, row: ObjectRow) -> None:
    standing, wanted = run.standing, run.wanted
    if row.kind == stat.S_IFDIR:
        run.output.step("metadata")
        try:
            fd = standing.fd(id)
        except OSError:
            if wanted.view.path_of(id, wanted.at) is None:
                return  # that was reported when it could not be placed
            raise
        standing.made(row, fd, apply_metadata(fd, b"", row, None))
        return
    handle = standing.ledger.handle_of(id)
    for parent, name in wanted.view.names_of(id, wanted.at)[:1] if handle is not None else ():
        fd = standing.fd(parent)
        believed = standing.ledger.is_as_noted(id, os.stat(name, dir_fd=fd, follow_symlinks=False))
        standing.set_metadata(row, None, fd, name, handle or b"", believed=believed)
