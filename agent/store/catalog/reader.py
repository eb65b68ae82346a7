"""Reading the catalog: one key, one directory, one commit, at one moment.

What reads many rows is in ``moments``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import apsw

from agent.core.chunks import device_extent
from agent.core.dataset_kind import DatasetKind
from agent.core.digest import Digest
from agent.core.errors import NotFound
from agent.core.ids import ROOT, ChunkNumber, CommitNumber, ObjectId, shown_commit
from agent.core.rows import (
    CHUNK_TAG,
    OBJECT_TAG,
    chunk_number_of_key,
    encode_name,
    object_id_of_key,
    parent_and_name_of_key,
    tag_of_key,
)
from agent.store.catalog import commits, generation, history, kept, losses, named, owed, sums, through_time
from agent.store.catalog.chunk_losses import ChunkLosses
from agent.store.catalog.row_tables import EVERY_KIND, Difference, RowTables, tables_of
from agent.store.sqlite import UNFIT, Synchronous, failure, open_database, query, store_error

_PIECES = "select name, data from piece where name in (select value from carray(?))"
_CACHE_KIB = 8192

_OBJECT = "select row from object where id = ?1 and until > ?2 and since <= ?2 limit 1"
_OBJECTS_AFTER = "select id, row from object where id > ?1 and until > ?2 and since <= ?2 order by id limit ?3"
_CHUNKS_AFTER = (
    "select number, row from chunk where number > ?1 and until > ?2 and since <= ?2 order by number limit ?3"
)
_CHUNK = "select row from chunk where number = ?1 and until > ?2 and since <= ?2 limit 1"
_LAST_CHUNK = "select row from chunk where until > ?1 and since <= ?1 order by number desc limit 1"
#: From chunk to chunk by number, however many versions each has; of each the one that is seen then.
_CHUNKS_WITHIN = """
with recursive here(number) as (
  select min(number) from chunk where number >= ?1
  union all
  select (select min(number) from chunk where number > here.number) from here where here.number < ?2)
select held.row from here cross join chunk as held
where here.number <= ?2 and held.number = here.number and held.until = (
    select min(until) from chunk as version where version.number = here.number and version.until > ?3)
and held.since <= ?3
"""
_CHILD = """
select object from name
where parent = ?1 and until = 9223372036854775807 and name = ?2 and since <= ?3
union all
select object from name indexed by name_ended
where parent = ?1 and name = ?2 and until > ?3 and until < 9223372036854775807 and since <= ?3
limit 1
"""
_NAMES_OF = """
select parent, name from name where object = ?1 and until > ?2 and since <= ?2 order by parent, name
"""
_SOME_NAMES = "select parent, name from name where object = ?1 and until > ?2 and since <= ?2 limit ?3"


class Reading(owed.Owed, commits.Commits, kept.Kept, generation.GenerationRows):
    """The reading methods, for whoever has a connection. ``at`` None is the newest sealed commit.

    All raise ``Damaged`` when a page's checksum is wrong, ``StoreFailed`` when the disk does not answer."""

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection

    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None:
        """The row bytes of an object."""
        for (row,) in self._all(_OBJECT, (id, self._at(at))):
            found: bytes = row
            return found
        return None

    def objects_after(self, after: ObjectId, at: CommitNumber, limit: int) -> list[tuple[ObjectId, bytes]]:
        """``(id, row bytes)`` of at most ``limit`` objects with an id above ``after``, rising."""
        return self._all(_OBJECTS_AFTER, (after, at, limit))

    def chunks_after(self, after: int, at: CommitNumber, limit: int) -> list[tuple[int, bytes]]:
        """``(number, row bytes)`` of at most ``limit`` chunks of a device with a number above ``after``, rising."""
        return self._all(_CHUNKS_AFTER, (after, at, limit))

    def chunk(self, number: ChunkNumber, at: CommitNumber | None = None) -> bytes | None:
        """The row bytes of a device's chunk; None for one of zeros."""
        for (row,) in self._all(_CHUNK, (number, self._at(at))):
            found: bytes = row
            return found
        return None

    def chunks_within(self, first: ChunkNumber, last: ChunkNumber, at: CommitNumber) -> list[bytes]:
        """The row bytes of a device's chunks from ``first`` to ``last``, by number. Costs what stands there, not what stood."""
        return [row for (row,) in self._all(_CHUNKS_WITHIN, (first, last, at))]

    def next_chunk(self, first: ChunkNumber) -> ChunkNumber | None:
        """The least number from ``first`` on that any chunk has, had or is about to have."""
        found: int | None = self._all("select min(number) from chunk where number >= ?", (first,))[0][0]
        return None if found is None else ChunkNumber(found)

    def row(self, key: bytes, at: CommitNumber | None = None) -> bytes | None:
        """The row bytes of a key of any kind."""
        tag = tag_of_key(key)
        if tag == OBJECT_TAG:
            return self.object(object_id_of_key(key), at)
        if tag == CHUNK_TAG:
            return self.chunk(chunk_number_of_key(key), at)
        parent, name = parent_and_name_of_key(key)
        id = self.child(parent, name, at)
        return None if id is None else encode_name(parent, name, id)

    def holder(self, id: int, at: CommitNumber | None = None) -> bytes | None:
        """The row bytes of what content is told absent and owed by: an object, in a device a chunk."""
        return self.object(ObjectId(id), at) or self.chunk(ChunkNumber(id), at)

    def place_of(self, id: ObjectId) -> bytes | None:
        """As people are told of what is owed: an object's path, a chunk's bytes of its device."""
        if self.object(id) is None and self.chunk(ChunkNumber(id)) is not None:
            return device_extent(id)
        return self.path_of(id)

    def kind(self) -> DatasetKind | None:
        """Whose rows it has; None while it has none."""
        if self._all("select 1 from object limit 1", ()):
            return DatasetKind.TREE
        return DatasetKind.DEVICE if self._all("select 1 from chunk limit 1", ()) else None

    def last_chunk(self, at: CommitNumber | None = None) -> bytes | None:
        """The row bytes of a device's last chunk, which says where it ends. Costs what was dropped behind it."""
        for (row,) in self._all(_LAST_CHUNK, (self._at(at),)):
            found: bytes = row
            return found
        return None

    def child(self, parent: ObjectId, name: bytes, at: CommitNumber | None = None) -> ObjectId | None:
        """The object that ``name`` stands for in ``parent``."""
        for (child,) in self._all(_CHILD, (parent, name, self._at(at))):
            return ObjectId(child)
        return None

    def children(
        self, parent: ObjectId, at: CommitNumber | None = None, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, ObjectId]]:
        """``(name, object)`` of at most ``limit`` entries whose name is greater than ``after``, by name."""
        return self._all(history.CHILDREN, (parent, after, self._at(at), limit))

    def entries(
        self, parent: ObjectId, at: CommitNumber, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, ObjectId, bytes, int]]:
        """As :meth:`children`, each with the row bytes of its object and whether that has other names too."""
        return self._all(history.ENTRIES, (parent, after, at, limit))

    def next_directory(self, after: ObjectId) -> ObjectId | None:
        """The directory with the least id above ``after`` that has, had or is about to have entries."""
        found: int | None = self._all(history.NEXT_PARENT, (after,))[0][0]
        return None if found is None else ObjectId(found)

    def names_of(self, id: ObjectId, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        """``(parent, name)`` of every entry that stands for the object."""
        return self._all(_NAMES_OF, (id, self._at(at)))

    def some_names(self, id: ObjectId, most: int, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]:
        """As :meth:`names_of`, any ``most`` of them: what costs no more, however many there are."""
        return self._all(_SOME_NAMES, (id, self._at(at), most))

    def has_children(self, parent: ObjectId, at: CommitNumber | None = None) -> bool:
        """Whether a directory has entries."""
        return bool(self.children(parent, at, limit=1))

    def path_of(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None:
        """``b"a/b/c"`` by the object's first name, ``b""`` for the root; None when no way leads to the root.
        For messages: an object may have other paths."""
        at = self._at(at)
        parts: list[bytes] = []
        passed = {id}
        while id != ROOT:
            names = self.names_of(id, at)
            if not names or names[0][0] in passed:
                return None
            id, name = names[0]
            passed.add(id)
            parts.append(name)
        return b"/".join(reversed(parts))

    def piece(self, name: bytes) -> bytes | None:
        """The bytes of a stored chunk list (primary; on a secondary they are in the vault)."""
        for (data,) in self._all("select data from piece where name = ?", (name,)):
            found: bytes = data
            return found
        return None

    def pieces(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """As :meth:`piece`, of some that stand side by side: a few hundred at most."""
        return dict(self._all(_PIECES, (apsw.carray(tuple(names)),))) if names else {}

    def _at(self, at: CommitNumber | None) -> CommitNumber:
        if at is not None:
            return at
        return CommitNumber(self._all("select coalesce(max(number), 0) from commits", ())[0][0])

    # SQLite's values have the types of the schema; apsw cannot know them.
    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]:
        try:
            return query(self._connection, sql, arguments)
        except apsw.Error as error:
            raise failure(error, "read the catalog", self.path) from error
        except OverflowError:
            return []  # a number of more than 63 bits: nothing is stored under it


class CatalogReader(Reading, losses.Losses, through_time.ThroughTime):
    """A reader with a connection of its own; bound to one thread at a time. Sees sealed commits only."""

    def __init__(self, path: str, connection: apsw.Connection) -> None:
        super().__init__(path, connection)
        self._tables = EVERY_KIND

    @classmethod
    def open(cls, path: str) -> CatalogReader:
        """Raises ``NotFound`` when there is no catalog, ``Damaged``."""
        reader = cls(path, open_database(path, Synchronous.NORMAL, _CACHE_KIB, create=False))
        try:
            query(reader._connection, history.SCRATCH + losses.SCRATCH)
        except apsw.Error as error:
            reader.close()
            raise failure(error, "open the catalog", path) from error
        return reader

    def row_tables(self) -> RowTables:
        """See ``row_tables.tables_of``; a dataset never changes its kind."""
        if self._tables is EVERY_KIND:
            self._tables = tables_of(self._connection)
        return self._tables

    def close(self) -> None:
        """Give the connection back; safe to call twice."""
        self._connection.close(True)

    def __enter__(self) -> CatalogReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def losses(self, kind: DatasetKind) -> losses.Losses | ChunkLosses:
        """The brake's questions of a dataset of this kind."""
        return ChunkLosses(self._all) if kind is DatasetKind.DEVICE else self

    def difference(
        self, a: CommitNumber, b: CommitNumber, batch: int = 1000
    ) -> Generator[list[Difference], None, None]:
        """What makes the state at ``a`` the state at ``b``: ``(key, old, new)`` with row bytes or None, net, objects
        first (by id), then names (by parent, name), then chunks (by number); where nothing ended between the two, by when they
        began before that. ``a`` may be ``NOTHING``; it may also be the later one.

        Raises ``NotFound`` when history that is needed was pruned (also in the middle, if that happens meanwhile)."""
        return self._guarded(history.difference(self, self._connection, a, b, batch))

    def touched(self, a: CommitNumber, b: CommitNumber, batch: int = 1000) -> Generator[list[bytes], None, None]:
        """Every key with a row that begins or ends in ``(a, b]``, also those that come out as they were; objects first.

        Raises ``NotFound`` like :meth:`difference`."""
        return self._guarded(history.touched(self, self._connection, a, b, batch))

    def rows_at(self, at: CommitNumber | None = None, batch: int = 1000) -> Generator[list[bytes], None, None]:
        """Every row of the state at ``at``, objects first (by id), then names (by parent, name), then chunks (by number)."""
        return self._guarded(history.rows_at(self, self._connection, self._at(at), batch))

    def sums_at(self, at: CommitNumber) -> Digest:
        """The sums of the state at ``at``. Raises ``NotFound`` where that cannot be read any more."""
        try:
            with self._connection:
                digest, _ = sums.sums_at(self._connection, at)
        except apsw.Error as error:
            raise failure(error, "read the catalog", self.path) from error
        if not self.is_readable(at):
            raise NotFound("read the catalog", shown_commit(at), "history of that time is gone")
        return digest

    def chunks_named(self, batch: int = 1000) -> Generator[list[tuple[int, bytes]], None, None]:
        """``(kind, name)`` of every chunk and piece that a row names, whenever it lived, staged ones included; what stands
        below a piece is not."""
        return self._guarded(named.by_rows(self._connection, batch))

    def file_versions(self, batch: int = 1000) -> Generator[list[named.FileVersion], None, None]:
        """Every version of every file that is not empty, and of every chunk of a device, whenever it lived, staged ones
        included."""
        return self._guarded(named.file_versions(self._connection, batch))

    def versions_between(self, before: int, at: int, following: int, most: int) -> list[named.FileVersion] | None:
        """The versions (as :meth:`file_versions`) that are seen at ``at``, and neither at ``before`` nor at ``following``; None
        for more than ``most`` of all rows."""
        try:
            return named.versions_between(self._connection, before, at, following, most)
        except apsw.Error as error:
            raise failure(error, "read the catalog", self.path) from error

    def _guarded(self, batches: Iterator[list[Any]]) -> Generator[list[Any], None, None]:
        try:
            yield from batches
        except apsw.Error as error:
            raise failure(error, "read the catalog", self.path) from error
        except UNFIT as error:
            raise store_error(error, "read the catalog", self.path) from error
