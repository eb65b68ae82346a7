"""The commit that is being built: its rows in the database, its digest and counts in memory.

Rows are staged under the number of the future commit, so no reader sees them before that number is the newest.
Everything here runs inside a transaction that the catalog has open.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import apsw

from agent.core.commit import Changes
from agent.core.digest import Digest
from agent.core.errors import WireError
from agent.core.ids import CommitNumber, shown_commit
from agent.core.rows import (
    NAME_TAG,
    OBJECT_TAG,
    chunk_columns,
    chunk_number_of_key,
    encode_name,
    name_columns,
    name_in,
    object_columns,
    object_id_of_key,
    parent_and_name_of_key,
    tag_of,
    tag_of_key,
)
from agent.store.catalog.sums import sums_at
from agent.store.sqlite import Insert, query

_TYPE, _REGULAR = 0o170000, 0o100000

_END_OBJECT = "update object set until = ? where id = ? and until = 9223372036854775807 returning since, row"
_END_CHUNK = "update chunk set until = ? where number = ? and until = 9223372036854775807 returning since, row"
_END_NAME = """
update name set until = ? where parent = ? and name = ? and until = 9223372036854775807 returning since, object
"""
_ANY_NAME = "select 1 from name where parent = ? and until = 9223372036854775807 limit 1"
#: Tables of rows that end, each with a column that an index leads by, so that a slice of it is found at the cost of the slice.
_ENDING = (("object", "id"), ("name", "object"), ("chunk", "number"), ("owed", "object"))
_SLICE_END = "select max({column}) from (select {column} from {table} where {column} > ? order by {column} limit ?)"
_END_SLICE = (
    """update or fail {table} set until = ? where {column} > ? and {column} <= ? and until = 9223372036854775807"""
)
_END_OWED = "update owed set until = ? where object = ? and until = 9223372036854775807"
_NEW_OWED = Insert("insert or replace into owed values", "(?, 9223372036854775807, ?)")
_ANY_OWED = "select 1 from owed where until = 9223372036854775807 limit 1"
_NEW_OBJECT = Insert("insert into object values", "(?, 9223372036854775807, ?, ?)")
_NEW_NAME = Insert("insert into name values", "(?, 9223372036854775807, ?, ?, ?)")
_NEW_CHUNK = Insert("insert into chunk values", "(?, 9223372036854775807, ?, ?)")
_SUMS = Insert("insert or replace into sums values", "(?, ?)")

#: Rows that a slice of a restart goes over: some 50 ms.
RESTART_ROWS = 20_000

#: Rows that may be moved before the sums are written again: found anew in some 50 ms.
_SAVED_AFTER = 20_000

#: Brings back the sealed state, whatever was staged.
UNSTAGE = """
delete from object where since > ?1;
update or fail object set until = 9223372036854775807 where until > ?1 and until < 9223372036854775807;
delete from name where since > ?1;
update or fail name set until = 9223372036854775807 where until > ?1 and until < 9223372036854775807;
delete from chunk where since > ?1;
update or fail chunk set until = 9223372036854775807 where until > ?1 and until < 9223372036854775807;
delete from owed where since > ?1;
update owed set until = 9223372036854775807 where until > ?1 and until < 9223372036854775807;
"""
UNSTAGE_STATEMENTS = 8


@dataclass(frozen=True, slots=True)
class StagedCounts:
    """Of a state. A tree: names, bytes of all files, regular files. A device: chunks that have a row, their bytes, and the chunks
    once more, as what may be rewritten (docs/decisions/0057)."""

    entries: int = 0
    size: int = 0
    files: int = 0


class Staging:
    """Digest and counts of the state with all that is staged. Not thread-safe; owned by the catalog.

    After an exception the caller must roll back and make a new one."""

    def __init__(self, connection: apsw.Connection, counts: StagedCounts, highest: int, newest: CommitNumber) -> None:
        """``counts``: of the sealed state at ``newest``; ``highest``: no row has a greater object id, parent or number."""
        self._connection = connection
        self._highest = highest
        self.digest, self._unsaved = sums_at(connection, newest)
        self.entries, self.size, self.files = counts.entries, counts.size, counts.files
        self.restarted = False
        self._owes = bool(query(connection, _ANY_OWED))
        #: Whether what is owed has changed with what is staged.
        self.owed_moved = False

    def apply(self, number: CommitNumber, changes: Changes) -> None:
        """Stage rows. Raises ``WireError`` for a drop of what does not live and for a key given twice."""
        try:
            if changes.drops:
                self._drop(number, changes.drops)
            if changes.puts:
                self._put(number, changes.puts)
        except apsw.ConstraintError as error:
            raise _bad(number, "it holds a key twice") from error
        except (OverflowError, struct.error, IndexError) as error:
            raise _bad(number, "it holds a malformed row or key") from error

    def restart(self, number: CommitNumber, look: Callable[[], None], slice_rows: int = RESTART_ROWS) -> None:
        """Every live row ends at ``number``; digest and counts are those of nothing. ``look`` is called between two slices, and
        raises what is to end it: then all of it is to be taken back."""
        for table, column in _ENDING:
            for low, high in self._slices(table, column, slice_rows):
                query(self._connection, _END_SLICE.format(table=table, column=column), (number, low, high))
                look()
        self.digest = Digest()
        self.entries = self.size = self.files = 0
        self.restarted = True
        self.owed_moved = self._owes

    def _slices(self, table: str, column: str, rows: int) -> Iterator[tuple[int, int]]:
        """Ranges of a column, above the first and up to the second, that hold about so many rows each."""
        low = -1
        while True:
            ((high,),) = query(self._connection, _SLICE_END.format(table=table, column=column), (low, rows))
            if high is None:
                return
            yield low, high
            low = high

    def owe(self, number: CommitNumber, objects: Iterable[int]) -> None:
        """These objects, whose rows are staged under ``number``, are sealed without all of their content."""
        _NEW_OWED.run(self._connection, [(id, number) for id in objects])
        self._owes = self.owed_moved = True

    def sealed(self, number: CommitNumber) -> None:
        """The staged state becomes the sealed one, as ``number``. The sums are written now and then only: they are a
        mebibyte, and what has changed since is found again by its rows."""
        if self.restarted or self._unsaved >= _SAVED_AFTER:
            self.save(number)

    def save(self, number: CommitNumber) -> None:
        """Write the sums as they are at ``number``; needed before rows that ended are pruned."""
        if self.restarted:
            query(self._connection, "delete from sums")
        _SUMS.run(self._connection, list(self.digest.take_touched()))
        query(self._connection, "insert or replace into meta values ('sums', ?)", (number,))
        self.restarted, self._unsaved = False, 0

    def _put(self, number: CommitNumber, rows: Sequence[bytes]) -> None:
        """Ids above every id seen are new, and so is every name in a directory that is new or empty: then nothing lives under
        the key, and nothing is looked up."""
        known = highest = self._highest
        empty: dict[int, bool] = {}
        kind, columns = tag_of, object_columns
        objects: list[tuple[int, int, bytes]] = []
        names: list[tuple[int, bytes, int, int]] = []
        device: list[tuple[int, int, bytes]] = []
        size = files = 0
        for row in rows:
            tag = kind(row)
            if tag == OBJECT_TAG:
                key, mode, bytes_of_it = columns(row)
                if key <= known:
                    self._end_object(number, key)
                objects.append((key, number, row))
                size += bytes_of_it
                files += mode & _TYPE == _REGULAR
            elif tag == NAME_TAG:
                key, target = name_columns(row)
                name = name_in(row)
                if key <= known and not self._is_empty(key, empty):
                    self._end_name(number, key, name)
                names.append((key, name, number, target))
            else:
                key, bytes_of_it, _ = chunk_columns(row)
                if key <= known:
                    self._end_chunk(number, key)
                device.append((key, number, row))
                size += bytes_of_it
            if key > highest:
                highest = key
        self.digest.add(rows)
        self._unsaved += len(rows)
        _NEW_OBJECT.run(self._connection, objects)
        _NEW_NAME.run(self._connection, names)
        _NEW_CHUNK.run(self._connection, device)
        self._highest = highest
        self.entries += len(names) + len(device)
        self.size += size
        self.files += files + len(device)

    def _is_empty(self, directory: int, found: dict[int, bool]) -> bool:
        empty = found.get(directory)
        if empty is None:
            empty = found[directory] = not query(self._connection, _ANY_NAME, (directory,))
        return empty

    def _drop(self, number: CommitNumber, keys: Iterable[bytes]) -> None:
        for key in keys:
            if not self._end(number, key):
                raise _bad(number, "it drops what does not live")

    def _end(self, number: CommitNumber, key: bytes) -> bool:
        tag = tag_of_key(key)
        if tag == OBJECT_TAG:
            return self._end_object(number, object_id_of_key(key))
        if tag == NAME_TAG:
            return self._end_name(number, *parent_and_name_of_key(key))
        return self._end_chunk(number, chunk_number_of_key(key))

    def _end_object(self, number: CommitNumber, key: int) -> bool:
        for since, row in query(self._connection, _END_OBJECT, (number, key)):
            if since == number:
                raise _bad(number, "it holds a key twice")
            self._end_debt(number, key)
            self._removed(row)
            _, mode, size = object_columns(row)
            self.size -= size
            self.files -= mode & _TYPE == _REGULAR
            return True
        return False

    def _end_name(self, number: CommitNumber, parent: int, name: bytes) -> bool:
        for since, target in query(self._connection, _END_NAME, (number, parent, name)):
            if since == number:
                raise _bad(number, "it holds a key twice")
            self._removed(encode_name(parent, name, target))
            self.entries -= 1
            return True
        return False

    def _end_chunk(self, number: CommitNumber, key: int) -> bool:
        for since, row in query(self._connection, _END_CHUNK, (number, key)):
            if since == number:
                raise _bad(number, "it holds a key twice")
            self._end_debt(number, key)
            self._removed(row)
            self.size -= chunk_columns(row)[1]
            self.entries -= 1
            self.files -= 1
            return True
        return False

    def _end_debt(self, number: CommitNumber, holder: int) -> None:
        if self._owes:
            query(self._connection, _END_OWED, (number, holder))
            self.owed_moved = self.owed_moved or bool(self._connection.changes())

    def _removed(self, row: bytes) -> None:
        self.digest.remove((row,))
        self._unsaved += 1


def highest_id(connection: apsw.Connection) -> int:
    """The greatest object id, parent or number of any row."""
    ids = query(
        connection,
        "select max(id) from object union all select max(parent) from name union all select max(number) from chunk",
    )
    return max(id or 0 for (id,) in ids)


def _bad(number: CommitNumber, what: str) -> WireError:
    return WireError(
        "stage a commit", shown_commit(number), what, "the sender is faulty or hostile; nothing was stored"
    )
