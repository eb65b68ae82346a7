"""Only what lies between two moments: what is not as it was at the earlier one, or the later, is made as at the moment that is
restored, and nothing else is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import key_is_object, object_id_of_key, object_id_of_name, parent_and_name_of_key
from agent.generations.reading import MomentEntry, MomentReader
from agent.generations.restore.asked import Cover, Parts
from agent.generations.restore.scratch import RestoreScratch
from agent.generations.restore.walk import (
    DirectoryTask,
    RestoreRun,
    clear_name,
    entries_below,
    give_entry,
    make_directory,
    note,
    path_below,
    walk_below,
)


def walk_changed(run: RestoreRun, since: CommitNumber) -> None:
    """As ``walk``, of what differs between ``since`` and the moment. Raises also ``NotFound`` when ``since`` cannot be read."""
    for at, path, names in _changed_directories(run.moment, run.parts, run.scratch, since, run.look):
        try:
            _directory(run, at, path, names)
        except OSError as error:
            note(run, path, error)
    run.crew.settle()


def changed_entries(moment: MomentReader, parts: Parts, since: CommitNumber) -> Iterator[tuple[bytes, MomentEntry]]:
    """Each entry that :func:`walk_changed` would make, with its path. Raises as that."""
    scratch = RestoreScratch()
    try:
        for at, path, names in _changed_directories(moment, parts, scratch, since, lambda: None):
            for name, whole in names:
                inner, entry = path_below(path, name), _entry(moment, at, name)
                if entry is None or parts.cover(inner) is Cover.OUTSIDE:
                    continue
                yield inner, entry
                if whole and entry.is_directory:
                    yield from entries_below(moment, parts, entry.id, inner)
    finally:
        scratch.close()


def _changed_directories(
    moment: MomentReader, parts: Parts, scratch: RestoreScratch, since: CommitNumber, look: Callable[[], None]
) -> Iterator[tuple[ObjectId, bytes, list[tuple[bytes, bool]]]]:
    """Each directory in which names are to be looked at, where it stands, and these."""
    for batch in moment.catalog.difference(since, moment.number):
        look()
        scratch.changed(_names(moment, batch))
    at = ObjectId(0)
    while (found := scratch.changed_in(at)) is not None:
        at, names = found
        look()
        path = moment.catalog.path_of(at, moment.number)
        # What stood in a directory that the moment does not have goes with it.
        if path is not None and parts.cover(path) is not Cover.OUTSIDE and not _is_walked(moment, scratch, at):
            yield at, path, names


def _names(
    moment: MomentReader, batch: list[tuple[bytes, bytes | None, bytes | None]]
) -> Iterator[tuple[ObjectId, bytes, bool]]:
    for key, old, new in batch:
        if not key_is_object(key):
            is_another = old is None or new is None or object_id_of_name(old) != object_id_of_name(new)
            yield *parent_and_name_of_key(key), is_another
        elif new is not None:
            id = object_id_of_key(key)
            yield from ((*name, False) for name in moment.catalog.names_of(id, moment.number))


def _directory(run: RestoreRun, id: ObjectId, path: bytes, names: list[tuple[bytes, bool]]) -> None:
    fd, task = _reached(run, id), DirectoryTask(run, id, fresh=False)
    for name, whole in names:
        inner = path_below(path, name)
        if run.parts.cover(inner) is not Cover.OUTSIDE:
            run.dirs.fd(id)
            _name(run, id, fd, name, inner, task, whole)
    task.give()
    _touched(run, id)


def _is_walked(moment: MomentReader, scratch: RestoreScratch, id: ObjectId) -> bool:
    """Whether the directory is made with one above it, or as itself, as a whole: perhaps just now, by the crew."""
    while id != ROOT:
        parent, name = moment.catalog.names_of(id, moment.number)[0]
        if scratch.is_whole(parent, name):
            return True
        id = parent
    return False


def _name(run: RestoreRun, id: ObjectId, fd: int, name: bytes, path: bytes, task: DirectoryTask, whole: bool) -> None:
    if _stands(fd, name):
        clear_name(run, id, fd, name, path[: -len(name) - 1] if len(path) > len(name) else b"")
    entry = _entry(run.moment, id, name)
    if entry is None:
        return
    if not entry.is_directory:
        give_entry(run, id, entry, path, task)
        return
    made = make_directory(run, id, entry, path)
    if made is not None and whole:
        walk_below(run, entry.id, path, made)


def _entry(moment: MomentReader, parent: ObjectId, name: bytes) -> MomentEntry | None:
    catalog, number = moment.catalog, moment.number
    id = catalog.child(parent, name, number)
    raw = catalog.object(id, number) if id is not None else None
    if id is None or raw is None:
        return None
    return MomentEntry(name, id, raw, len(catalog.some_names(id, 2, number)) > 1)


def _reached(run: RestoreRun, id: ObjectId) -> int:
    """The open directory; what is missing of the way to it is made, without what else stood in it."""
    way: list[tuple[ObjectId, bytes]] = []
    at = id
    while True:
        try:
            run.dirs.fd(at)
            break
        except FileNotFoundError:
            parent, name = run.moment.catalog.names_of(at, run.moment.number)[0]
            way.append((parent, name))
            at = parent
    for parent, name in reversed(way):
        entry = _entry(run.moment, parent, name)
        assert entry is not None
        make_directory(run, parent, entry, run.moment.catalog.path_of(entry.id, run.moment.number) or b"")
    return run.dirs.fd(id)


def _touched(run: RestoreRun, id: ObjectId) -> None:
    """Its metadata is set anew at the end."""
    raw = run.moment.catalog.object(id, run.moment.number)
    if raw is not None and id != ROOT:
        run.scratch.directory(id, raw)


def _stands(fd: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
