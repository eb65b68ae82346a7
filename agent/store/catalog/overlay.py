"""All rows of a state, laid over those that live: what is as it was stays, what another row has is put, what is not named ends.

Rows come part by part in the order of their keys: objects by id, then names by parent and name, then chunks by number. So one
pass over both finds the difference, whatever is between them, and nothing is remembered but a page of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import apsw

from agent.core.digest import is_among
from agent.core.errors import WireError
from agent.core.ids import CommitNumber, shown_commit
from agent.core.rows import RowOrder, encode_name, key_of, order_of
from agent.store.sqlite import query

_PAGE = 1000
_FIRST, _LAST = -1, (3, 0, b"")

_OBJECTS = """
select id, row from object where id > ?1 and until = 9223372036854775807 and since < ?2 order by id limit ?3
"""
_NAMES = """
select name, object from name
where parent = ?1 and until = 9223372036854775807 and name > ?2 and since < ?3 order by name limit ?4
"""
_CHUNKS = """
select number, row from chunk where number > ?1 and until = 9223372036854775807 and since < ?2 order by number limit ?3
"""
_NEXT_PARENT = "select min(parent) from name where parent > ?"

Drop: TypeAlias = Callable[[Sequence[bytes]], None]


class Overlay:
    """One commit's. ``drop`` ends what lives under the keys that it is given, a page at a time. ``among``: only rows of these
    buckets are laid and end, a bit for each of all buckets; empty: all. Runs in the transactions that the catalog has open."""

    def __init__(self, connection: apsw.Connection, number: CommitNumber, drop: Drop, among: bytes = b"") -> None:
        self._number = number
        self._drop = drop
        self._among = among
        live = _live_rows(connection, number)
        self._live = live if not among else (one for one in live if is_among(one[1], among))
        self._head = next(self._live, None)
        self._at: RowOrder = (0, _FIRST, b"")
        self._gone: list[bytes] = []

    def lay(self, rows: Sequence[bytes]) -> list[int]:
        """Which of these rows, by index, are not here as they are; they are still to be put. Raises ``WireError`` for rows that
        do not rise, or are none."""
        changed = []
        for index, row in enumerate(rows):
            place = self._order(row)
            if self._among and not is_among(row, self._among):
                raise self._bad("a row of other buckets than it named")
            if place <= self._at:
                raise self._bad("rows of a whole that do not come in order")
            self._at = place
            self._pass(place)
            if self._head is not None and self._head[0] == place:
                if self._head[1] != row:
                    changed.append(index)
                self._head = next(self._live, None)
            else:
                changed.append(index)
        self._flush()
        return changed

    def finish(self) -> None:
        """Nothing more comes: whatever was not named ends."""
        if self._at[1] == _FIRST and not self._among:
            raise self._bad("a whole without a row")
        self._pass(_LAST)
        self._flush()

    def _pass(self, place: RowOrder) -> None:
        """What lives before ``place`` and was not named ends."""
        while self._head is not None and self._head[0] < place:
            self._gone.append(key_of(self._head[1]))
            self._head = next(self._live, None)
            if len(self._gone) >= _PAGE:
                self._flush()

    def _flush(self) -> None:
        if self._gone:
            gone, self._gone = self._gone, []
            self._drop(gone)

    def _order(self, row: bytes) -> RowOrder:
        try:
            return order_of(row)
        except WireError as error:
            raise self._bad("a malformed row") from error

    def _bad(self, what: str) -> WireError:
        return WireError(
            "stage a commit", shown_commit(self._number), what, "the sender is faulty or hostile; nothing was stored"
        )


def _live_rows(connection: apsw.Connection, number: CommitNumber) -> Iterator[tuple[RowOrder, bytes]]:
    """Every live row of before ``number``, in the order of their keys; no statement stays open between two pages."""
    id = _FIRST
    while objects := query(connection, _OBJECTS, (id, number, _PAGE)):
        id = objects[-1][0]
        yield from (((0, each, b""), row) for each, row in objects)
    parent = query(connection, _NEXT_PARENT, (_FIRST,))[0][0]
    while parent is not None:
        name = b""
        while names := query(connection, _NAMES, (parent, name, number, _PAGE)):
            name = names[-1][0]
            yield from (((1, parent, each), encode_name(parent, each, target)) for each, target in names)
        parent = query(connection, _NEXT_PARENT, (parent,))[0][0]
    chunk = _FIRST
    while chunks := query(connection, _CHUNKS, (chunk, number, _PAGE)):
        chunk = chunks[-1][0]
        yield from (((2, each, b""), row) for each, row in chunks)
