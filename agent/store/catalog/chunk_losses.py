"""What a stretch of history took away from a device: counts for the brake, as ``losses`` has them for a tree.

A chunk is *deleted* where it has no row any more: it became zeros, or the device ends before it. It is *rewritten* where it has
another row. Each question costs what ended between its moments, and looks each of that up once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core.ids import CommitNumber
from agent.store.catalog.losses import Ended, More

#: Rows that ended in (?1, ?2], by when they began (never said to be before ?3) and ended.
_ENDED = """
select max(since, ?3), until, count(*) from chunk
where until > ?1 and until <= ?2 and until < 9223372036854775807 group by 1, 2
"""
#: Rows of the base ?1 that ended by the target ?2, each with the row of its chunk there.
_CHANGED = """
select c.number, c.until, c.row,
  (select row from chunk n where n.number = c.number and n.until > ?2 and n.since <= ?2 limit 1) as now
from chunk c where c.until > ?1 and c.until <= ?2 and c.until < 9223372036854775807 and c.since <= ?1
"""
_DELETED = "select count(*) from (CHANGED) where now is null".replace("CHANGED", _CHANGED)
_REWRITTEN = "select count(*) from (CHANGED) where now is not null and now != row".replace("CHANGED", _CHANGED)
#: When the first of them was gone for good, and when the first of the others became another one.
_FIRST_DELETED = """
select min(gone) from (
  select (select max(x.until) from chunk x where x.number = c.number and x.until <= ?2) as gone
  from (CHANGED) c where now is null
)
""".replace("CHANGED", _CHANGED)
_FIRST_REWRITTEN = _REWRITTEN.replace("count(*)", "min(until)")
#: Chunks of the base ?1 that changed in (?2, ?3]: what is lost of them at ?3, less what was at ?2.
_MORE = """
with touched as (
  select number from chunk where until > ?2 and until <= ?3 and until < 9223372036854775807
  union select number from chunk where since > ?2 and since <= ?3
), seen as (
  select
    (select row from chunk c where c.number = t.number and c.until > ?1 and c.since <= ?1 limit 1) as base,
    (select row from chunk c where c.number = t.number and c.until > ?2 and c.since <= ?2 limit 1) as before,
    (select row from chunk c where c.number = t.number and c.until > ?3 and c.since <= ?3 limit 1) as now
  from touched t
)
select coalesce(sum((now is null) - (before is null)), 0),
  coalesce(sum((now is not null and now != base) - (before is not null and before != base)), 0)
from seen where base is not null
"""


class ChunkLosses:
    """The brake's questions of a device. ``ask`` runs a statement; all raise as it does."""

    def __init__(self, ask: Callable[[str, tuple[int, ...]], list[Any]]) -> None:
        self._ask = ask

    def ended(self, after: CommitNumber, upto: CommitNumber, oldest: CommitNumber) -> tuple[list[Ended], list[Ended]]:
        """Chunks whose row ended in ``(after, upto]``, twice, as ``Losses.ended`` has names and objects: each may have been
        deleted, and each may have been rewritten."""
        ended = self._ask(_ENDED, (after, upto, oldest))
        return ended, ended

    def deleted(self, base: CommitNumber, target: CommitNumber) -> int:
        """How many chunks had a row at ``base`` and have none at ``target``."""
        return self._number(_DELETED, (base, target))

    def rewritten(self, base: CommitNumber, target: CommitNumber) -> int:
        """How many chunks of ``base`` have another row at ``target``."""
        return self._number(_REWRITTEN, (base, target))

    def first_deleted(self, base: CommitNumber, target: CommitNumber) -> CommitNumber:
        """The commit that took the first of those that :meth:`deleted` counts away; ``NOTHING`` without any."""
        return CommitNumber(self._number(_FIRST_DELETED, (base, target)))

    def first_rewritten(self, base: CommitNumber, target: CommitNumber) -> CommitNumber:
        """The commit that gave the first of those that :meth:`rewritten` counts another row; ``NOTHING`` without any."""
        return CommitNumber(self._number(_FIRST_REWRITTEN, (base, target)))

    def one_deleted(self, _base: CommitNumber, _target: CommitNumber) -> bytes | None:
        """A chunk has no path."""
        return None

    one_rewritten = one_deleted

    def lost_more(self, base: CommitNumber, after: CommitNumber, target: CommitNumber) -> More:
        """By how much :meth:`deleted` and :meth:`rewritten` of ``(base, target)`` differ from those of ``(base, after)``."""
        return More(*self._ask(_MORE, (base, after, target))[0])

    def _number(self, sql: str, between: tuple[int, int]) -> int:
        return int(self._ask(sql, between)[0][0] or 0)
