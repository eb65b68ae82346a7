"""What comes when all content is there: further names, metadata of large files, and of directories, those below one first."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from functools import partial

from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import open_pinned
from agent.fs.metadata import apply_metadata
from agent.generations.restore.results import Unmade
from agent.generations.restore.scratch import LaterEntry
from agent.generations.restore.walk import RestoreRun, note, path_in, places


def finish(run: RestoreRun, failed: Container[tuple[ObjectId, bytes]]) -> None:
    """Make what is left. ``failed``: files that the crew could not make; what there is of a large one goes. Raises as walk."""
    for one in run.scratch.larges():
        _attempt(run, one, partial(_large, run, one, failed))
    for one in run.scratch.links():
        _attempt(run, one, partial(_link, run, one, failed))
    for id, raw in run.scratch.directories():
        run.look()
        _directory(run, id, decode_object(raw))


def _attempt(run: RestoreRun, one: LaterEntry, act: Callable[[], None]) -> None:
    run.look()
    try:
        act()
    except OSError as error:
        note(run, path_in(run, one.parent, one.name), error)


def _large(run: RestoreRun, one: LaterEntry, failed: Container[tuple[ObjectId, bytes]]) -> None:
    fd, row = run.dirs.fd(one.parent), decode_object(one.raw)
    if (one.parent, one.name) in failed:
        os.unlink(one.name, dir_fd=fd)
        return
    pinned = open_pinned(fd, one.name)
    try:
        _with_metadata(run, pinned, row, lambda: path_in(run, one.parent, one.name))
    finally:
        os.close(pinned)
    run.done.entries += 1
    run.done.size += row.size


def _link(run: RestoreRun, one: LaterEntry, failed: Container[tuple[ObjectId, bytes]]) -> None:
    row = decode_object(one.raw)
    first = places(run, row.id)[0]
    if first in failed:
        run.done.not_made(Unmade(path_in(run, one.parent, one.name), "as its other name, which was told"))
        return
    # Looked up one after the other: the second look keeps the first open.
    source, fd = run.dirs.fd(first[0]), run.dirs.fd(one.parent)
    try:
        run.maker.link(source, first[1], fd, one.name, row)
    except FileNotFoundError:
        # Only what changed is made, and its first name did not.
        run.maker.make(one.parent, fd, one.name, row, 1, fresh=False)
        return
    run.done.entries += 1


def _directory(run: RestoreRun, id: ObjectId, row: ObjectRow) -> None:
    def path() -> bytes:
        return run.moment.catalog.path_of(id, run.moment.number) or b""

    try:
        _with_metadata(run, run.dirs.fd(id), row, path)
    except OSError as error:
        note(run, path(), error)


def _with_metadata(run: RestoreRun, fd: int, row: ObjectRow, path: Callable[[], bytes]) -> None:
    refused = apply_metadata(fd, b"", row, None)
    if refused:
        run.done.not_made(Unmade(path(), f"without its {', '.join(refused)}", left_out=False))
