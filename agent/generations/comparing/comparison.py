"""The difference of two moments, path by path.

A name that went and one that came of the same object are a move, whatever lies below; of a directory that moved nothing below it
is told for that. What is another object at the same path, as after a save by temporary name and rename, changed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter

from agent.core.ids import CommitNumber
from agent.core.rows import (
    NAME_TAG,
    OBJECT_TAG,
    ObjectRow,
    decode_object,
    object_id_of_key,
    object_id_of_name,
    parent_and_name_of_key,
    tag_of_key,
)
from agent.generations.comparing.change import Change, ChangeKind, is_unchanged
from agent.generations.comparing.scratch import NameDifference, ObjectDifference, Pair, PathEntry, Scratch
from agent.generations.paths_at import PathsAt
from agent.store.catalog.reader import CatalogReader
from agent.store.catalog.row_tables import Difference

_BATCH = 1000


def changes_between(
    reader: CatalogReader, old: CommitNumber, new: CommitNumber, look: Callable[[], None]
) -> Iterator[Change]:
    """What makes the tree of ``old`` that of ``new``, by path; ``old`` may be the later one. ``look`` is called now and then, and
    raises what is to end it. Memory is bounded; what differs is sorted on disk.

    Raises ``NotFound`` where a moment cannot be read (any more), ``Damaged``, ``TryAgain`` (disk full), ``StoreFailed``."""
    with Scratch() as scratch:
        for batch in reader.difference(old, new):
            look()
            scratch.add_objects(_objects(batch))
            scratch.add_names(_names(batch))
        for entries in _batched(_told(scratch, reader, old, new)):
            look()
            scratch.add_entries(entries)
        merging = _Merging()
        for _, same in groupby(scratch.entries(), key=attrgetter("path")):
            yield from map(_as_change, merging.told(list(same)))


def _objects(batch: list[Difference]) -> list[ObjectDifference]:
    return [(object_id_of_key(key), old, new) for key, old, new in batch if tag_of_key(key) == OBJECT_TAG]


def _names(batch: list[Difference]) -> list[NameDifference]:
    found: list[NameDifference] = []
    for key, old, new in batch:
        if tag_of_key(key) == NAME_TAG:
            place = parent_and_name_of_key(key)
            found += [(object_id_of_name(row), came, *place) for came, row in enumerate((old, new)) if row is not None]
    return found


def _told(scratch: Scratch, reader: CatalogReader, old: CommitNumber, new: CommitNumber) -> Iterator[PathEntry]:
    before, after = PathsAt(reader, old), PathsAt(reader, new)
    for pair in scratch.pairs():
        yield _of_names(pair, reader, new, before, after)
    for id, was, now in scratch.changed_objects():
        if not is_unchanged(was, now):
            path, names = after.path_of(id)
            yield PathEntry(path, ChangeKind.CHANGED, None, was, now, names, 0, id)


def _of_names(pair: Pair, reader: CatalogReader, new: CommitNumber, before: PathsAt, after: PathsAt) -> PathEntry:
    id, old_parent, old_name, new_parent, new_name, was, now = pair
    if was is None and now is None:
        # A name came or went, or both, and the object is as it was.
        was = now = reader.object(id, new)
    source = None if old_parent is None or old_name is None else before.path(old_parent, old_name)
    if new_parent is None or new_name is None:
        assert source is not None
        assert old_parent is not None
        return PathEntry(source, ChangeKind.DELETED, None, was, None, 0, old_parent, id)
    path = after.path(new_parent, new_name)
    if source is None:
        return PathEntry(path, ChangeKind.ADDED, None, None, now, 1, new_parent, id)
    return PathEntry(path, ChangeKind.MOVED, source, was, now, 1, new_parent, id)


class _Merging:
    """Where something went and something else came at a path of one directory, that is one change, or none: a file that was saved
    by temporary name and rename, or a whole tree that was built anew."""

    def __init__(self) -> None:
        #: The directories above, each with that which stands in its place, and the path of it.
        self._above: list[tuple[bytes, int, int]] = []

    def told(self, same: list[PathEntry]) -> list[PathEntry]:
        """What is to be told of one path; paths in the order of ``Scratch.entries``."""
        path = same[0].path
        while self._above and not path.startswith(self._above[-1][0]):
            self._above.pop()
        gone = next((entry for entry in same if entry.kind == ChangeKind.DELETED), None)
        came = next((entry for entry in same if entry.kind == ChangeKind.ADDED), None)
        if gone is None or came is None or not self._stand_in_one(gone.parent, came.parent):
            return same
        self._above.append((path + b"/", gone.object, came.object))
        told = [entry for entry in same if entry is not gone and entry is not came]
        if gone.old is None or came.new is None or not is_unchanged(gone.old, came.new):
            told.append(came._replace(kind=ChangeKind.CHANGED, old=gone.old))
        return told

    def _stand_in_one(self, old: int, new: int) -> bool:
        return old == new or (bool(self._above) and self._above[-1][1:] == (old, new))


def _as_change(entry: PathEntry) -> Change:
    return Change(
        ChangeKind(entry.kind), entry.path, entry.source, _decoded(entry.old), _decoded(entry.new), entry.names
    )


def _decoded(row: bytes | None) -> ObjectRow | None:
    return None if row is None else decode_object(row)


def _batched(entries: Iterator[PathEntry]) -> Iterator[list[PathEntry]]:
    gathered: list[PathEntry] = []
    for entry in entries:
        gathered.append(entry)
        if len(gathered) == _BATCH:
            yield gathered
            gathered = []
    yield gathered
