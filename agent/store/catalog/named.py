"""Every chunk that the catalog names, by rows of whatever moment: what a collection must leave."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import apsw

from agent.core.chunks import DATA, names_in
from agent.core.rows import decode_chunk, decode_object
from agent.store.sqlite import query

_OBJECTS = "select id, until, row from object where (id, until) > (?1, ?2) order by id, until limit ?3"
_CHUNKS = "select number, until, row from chunk where (number, until) > (?1, ?2) order by number, until limit ?3"


def by_rows(connection: apsw.Connection, batch: int) -> Iterator[list[tuple[int, bytes]]]:
    """Pages of ``(kind, name)``; no statement stays open between two."""
    for rows in _pages(connection, _OBJECTS, batch):
        objects = map(decode_object, rows)
        yield [one for row in objects if row.kind == stat.S_IFREG for one in names_in(row.content)]
    for rows in _pages(connection, _CHUNKS, batch):
        yield [(DATA, decode_chunk(row).name) for row in rows]


def _pages(connection: apsw.Connection, sql: str, batch: int) -> Iterator[list[bytes]]:
    key, until = -1, 0
    while page := query(connection, sql, (key, until, batch)):
        key, until, _ = page[-1]
        yield [row for _, _, row in page]
