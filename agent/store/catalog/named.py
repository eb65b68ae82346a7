"""Every chunk that the catalog names, by rows of whatever moment: what a collection must leave."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

import apsw

from agent.core.chunks import DATA, names_in
from agent.core.ids import ObjectId
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


_VERSIONS = "select id, until, since, row from object where (id, until) > (?1, ?2) order by id, until limit ?3"


_ENDED = """
select id, until, since, row from object
where until > ?1 and until <= ?2 and until < 9223372036854775807 and since > ?3 order by until, id limit ?4
"""


class FileVersion(NamedTuple):
    """What a file was from commit ``since`` to before ``until``. ``content``: its chunk list."""

    id: ObjectId
    since: int
    until: int
    content: bytes


def file_versions(connection: apsw.Connection, batch: int) -> Iterator[list[FileVersion]]:
    """Every version of every file, by pages; no statement stays open between two."""
    id, until = -1, 0
    while page := query(connection, _VERSIONS, (id, until, batch)):
        id, until = page[-1][:2]
        decoded = [(since, ended, decode_object(row)) for _, ended, since, row in page]
        yield [
            FileVersion(row.id, since, ended, row.content) for since, ended, row in decoded if row.kind == stat.S_IFREG
        ]


def versions_between(
    connection: apsw.Connection, before: int, at: int, following: int, most: int
) -> list[FileVersion] | None:
    """The versions of files that are seen at ``at``, and neither at ``before`` nor at ``following``; None for more than ``most``
    of all objects."""
    rows = query(connection, _ENDED, (at, following, before, most + 1))
    if len(rows) > most:
        return None
    decoded = [(since, until, decode_object(row)) for _, until, since, row in rows if since <= at]
    return [FileVersion(row.id, since, until, row.content) for since, until, row in decoded if row.kind == stat.S_IFREG]


def _pages(connection: apsw.Connection, sql: str, batch: int) -> Iterator[list[bytes]]:
    key, until = -1, 0
    while page := query(connection, sql, (key, until, batch)):
        key, until, _ = page[-1]
        yield [row for _, _, row in page]
