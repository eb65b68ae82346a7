"""Every chunk that the catalog names, by rows of whatever moment: what a collection must leave."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

import apsw

from agent.core.chunks import DATA, names_in
from agent.core.ids import ObjectId
from agent.core.rows import content_of, decode_chunk, decode_object
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


_VERSIONS = (
    "select {key}, until, since, row from {table} where ({key}, until) > (?1, ?2) order by {key}, until limit ?3"
)
_ENDED = """
select {key}, until, since, row from {table}
where until > ?1 and until <= ?2 and until < 9223372036854775807 and since > ?3 order by until, {key} limit ?4
"""
_OF_OBJECTS, _OF_CHUNKS = {"table": "object", "key": "id"}, {"table": "chunk", "key": "number"}
_VERSIONS_OF = tuple(_VERSIONS.format(**of) for of in (_OF_OBJECTS, _OF_CHUNKS))
_ENDED_OF = tuple(_ENDED.format(**of) for of in (_OF_OBJECTS, _OF_CHUNKS))


class FileVersion(NamedTuple):
    """What a file, or a device's chunk of the number ``id``, was from commit ``since`` to before ``until``. ``content``: its
    chunk list."""

    id: ObjectId
    since: int
    until: int
    content: bytes


def file_versions(connection: apsw.Connection, batch: int) -> Iterator[list[FileVersion]]:
    """Every version of every file, and of every chunk of a device, by pages; no statement stays open between two."""
    for sql in _VERSIONS_OF:
        id, until = -1, 0
        while page := query(connection, sql, (id, until, batch)):
            id, until = page[-1][:2]
            yield _with_content(page)


def versions_between(
    connection: apsw.Connection, before: int, at: int, following: int, most: int
) -> list[FileVersion] | None:
    """The versions that are seen at ``at``, and neither at ``before`` nor at ``following``; None for more than ``most`` of all
    rows."""
    rows = [row for sql in _ENDED_OF for row in query(connection, sql, (at, following, before, most + 1))]
    if len(rows) > most:
        return None
    return _with_content([row for row in rows if row[2] <= at])


def _with_content(rows: list[tuple[int, int, int, bytes]]) -> list[FileVersion]:
    """Those that stand for content: of regular files, and of chunks."""
    found = ((id, until, since, content_of(row)) for id, until, since, row in rows)
    return [FileVersion(ObjectId(id), since, until, content) for id, until, since, content in found if content]


def _pages(connection: apsw.Connection, sql: str, batch: int) -> Iterator[list[bytes]]:
    key, until = -1, 0
    while page := query(connection, sql, (key, until, batch)):
        key, until, _ = page[-1]
        yield [row for _, _, row in page]
