"""The sums of the digest at a moment: as they were written last, and what began and ended between that and the moment.

They are written now and then only, as they are a mebibyte. Whoever reads them elsewhere than where they were written finds the
rows between the two by their commits, forwards or back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apsw

from agent.core.digest import Digest
from agent.core.ids import NOTHING, CommitNumber
from agent.core.rows import encode_name
from agent.store.sqlite import query

_BEGAN = (
    "select row from object where since > ? and since <= ?",
    "select parent, name, object from name where since > ? and since <= ?",
    "select row from chunk where since > ? and since <= ?",
)
_ENDED = (
    "select row from object where until > ? and until <= ? and until < 9223372036854775807",
    "select parent, name, object from name where until > ? and until <= ? and until < 9223372036854775807",
    "select row from chunk where until > ? and until <= ? and until < 9223372036854775807",
)
_Mover = Callable[[Iterable[bytes]], None]


def sums_at(connection: apsw.Connection, at: CommitNumber) -> tuple[Digest, int]:
    """The sums at ``at``, which can be read, and how many rows lay between that and what was written."""
    digest = Digest()
    digest.load(query(connection, "select block, sums from sums"))
    written = query(connection, "select value from meta where key = 'sums'")
    there = CommitNumber(written[0][0]) if written else NOTHING
    if there <= at:
        return digest, _move(connection, there, at, digest.add, digest.remove)
    return digest, _move(connection, at, there, digest.remove, digest.add)


def _move(connection: apsw.Connection, after: int, upto: int, began: _Mover, ended: _Mover) -> int:
    count = 0
    for statements, move in ((_BEGAN, began), (_ENDED, ended)):
        for sql in statements:
            rows = query(connection, sql, (after, upto))
            count += len(rows)
            move([row[0] if len(row) == 1 else encode_name(*row) for row in rows])
    return count
