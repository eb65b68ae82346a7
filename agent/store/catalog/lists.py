"""Parts of long chunk lists in a primary's catalog. Each counts the rows and parts that name it, and goes with the last of them.

Counted are rows of any moment that is kept: what history needs stays. Everything here runs inside a transaction of the catalog.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import apsw

from agent.core.chunks import pieces_in
from agent.core.rows import content_of, is_object
from agent.store.sqlite import Insert, query

#: No object with a shorter row has a list with parts: so most are passed over unread.
_SHORTEST = 120
_NEW = Insert("insert or ignore into piece values", "(?, ?, 0)", "returning data")
_NAMED = "update piece set named = named + ? where name in (select value from carray(?))"
#: Of those among many that nobody names any more.
_GONE = "delete from piece where named <= 0 and name in (select value from carray(?)) returning data"
_UNUSED = "select name, data from piece where named = 0 limit ?"
_GO = "delete from piece where name = ?"
#: So many are counted at once, or let go: what these name waits meanwhile.
_AT_ONCE = 1_000
#: ``(name, bytes)``
Piece = tuple[bytes, bytes]


def keep(connection: apsw.Connection, pieces: Iterable[Piece], rows: Sequence[bytes]) -> None:
    """These parts, as far as they are new, and these rows that name some are in the catalog from now on."""
    named: list[bytes] = []
    for (data,) in _NEW.added(connection, list(pieces)):
        named += pieces_in(data)
    named += _parts_in(rows)
    _count(connection, named, 1)


def let_go(connection: apsw.Connection, rows: Iterable[bytes]) -> None:
    """These rows are no longer in the catalog."""
    _unnamed(connection, _parts_in(rows))


def drop_unnamed(connection: apsw.Connection, limit: int) -> None:
    """At most so many parts go that nobody ever named: of versions that were read and not committed."""
    for name, data in query(connection, _UNUSED, (limit,)):
        query(connection, _GO, (name,))
        _unnamed(connection, pieces_in(data))


def _unnamed(connection: apsw.Connection, parts: list[bytes]) -> None:
    """Each of these is named once less; what nobody names goes, with what it named."""
    while parts:
        some = parts[-_AT_ONCE:]
        del parts[-_AT_ONCE:]
        _count(connection, some, -1)
        for (data,) in query(connection, _GONE, (apsw.carray(tuple(set(some))),)):
            parts += pieces_in(data)


def _count(connection: apsw.Connection, parts: list[bytes], times: int) -> None:
    """Each of these is named so many times more. In few statements, as :class:`~agent.store.sqlite.Insert` says why."""
    for at in range(0, len(parts), _AT_ONCE):
        for often, names in _by_count(parts[at : at + _AT_ONCE]):
            query(connection, _NAMED, (often * times, apsw.carray(names)))


def _by_count(parts: list[bytes]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """What is in a list once, what is in it twice, and so on."""
    counts = Counter(parts)
    for often in set(counts.values()):
        yield often, tuple(name for name, count in counts.items() if count == often)


def _parts_in(rows: Iterable[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for row in rows:
        if len(row) >= _SHORTEST and is_object(row):
            found += pieces_in(content_of(row))
    return found
