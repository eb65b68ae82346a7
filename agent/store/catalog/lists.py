"""Parts of long chunk lists in a primary's catalog. Each counts the rows and parts that name it, and goes with the last of them.

Counted are rows of any moment that is kept: what history needs stays. Everything here runs inside a transaction of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from agent.core.chunks import PIECE, names_in
from agent.core.rows import decode_object, is_object
from agent.store.sqlite import Insert, query

#: No object with a shorter row has a list with parts: so most are passed over unread.
_SHORTEST = 120
_NEW = Insert("insert or ignore into piece values", "(?, ?, 0)", "returning data")
_NAMED = "update piece set named = named + 1 where name = ?"
_UNNAMED = "update piece set named = named - 1 where name = ? returning named, data"
_UNUSED = "select name, data from piece where named = 0 limit ?"
_GO = "delete from piece where name = ?"
#: ``(name, bytes)``
Piece = tuple[bytes, bytes]


def keep(connection: apsw.Connection, pieces: Iterable[Piece], rows: Sequence[bytes]) -> None:
    """These parts, as far as they are new, and these rows that name some are in the catalog from now on."""
    named: list[bytes] = []
    for (data,) in _NEW.added(connection, list(pieces)):
        named += _parts_of(data)
    named += _parts_in(rows)
    if named:
        connection.executemany(_NAMED, [(name,) for name in named])


def let_go(connection: apsw.Connection, rows: Iterable[bytes]) -> None:
    """These rows are no longer in the catalog."""
    _unnamed(connection, _parts_in(rows))


def drop_unnamed(connection: apsw.Connection, limit: int) -> None:
    """At most so many parts go that nobody ever named: of versions that were read and not committed."""
    for name, data in query(connection, _UNUSED, (limit,)):
        query(connection, _GO, (name,))
        _unnamed(connection, _parts_of(data))


def _unnamed(connection: apsw.Connection, parts: list[bytes]) -> None:
    """Each of these is named once less; what nobody names goes, with what it named."""
    while parts:
        name = parts.pop()
        for named, data in query(connection, _UNNAMED, (name,)):
            if named <= 0:
                query(connection, _GO, (name,))
                parts += _parts_of(data)


def _parts_in(rows: Iterable[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for row in rows:
        if len(row) >= _SHORTEST and is_object(row):
            content = decode_object(row).content
            # A list that has parts has nothing else.
            if content and content[0] == PIECE:
                found += _parts_of(content)
    return found


def _parts_of(data: bytes) -> list[bytes]:
    return [name for kind, name in names_in(data) if kind == PIECE]
