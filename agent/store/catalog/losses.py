"""What a stretch of history took away: counts for the brake, by the indexes on ``until``.

A row that stood at ``base`` and ended by ``target`` is found once, however often its key changed in between. So the cost
is that of the rows that ended between the two, and only what may really be lost is looked at singly. Every answer is
bounded, or read in pages.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.rows import ObjectRow, decode_object

#: ``(since, until, how many rows)``.
Ended: TypeAlias = tuple[int, int, int]

_Place: TypeAlias = tuple[ObjectId, bytes]
#: An object, names that it had, and whether its content is to be looked at.
_Touched: TypeAlias = tuple[ObjectId, list[_Place], bool]

#: Run once on a connection before anything here.
SCRATCH = "create temp table lost_name (parent integer primary key, alive integer, gone integer);"

_PAGE = 200
_REMEMBERED = 10_000
#: So many new directories above a place are looked at.
_DEPTH = 64

# ?1 is the base, ?2 the target. The last two conditions: its object lives on, and something stands at its name.
_LOST = """
from name n where n.until > ?1 and n.until <= ?2 and n.until < 9223372036854775807 and n.since <= ?1
and not exists (select 1 from object x where x.id = n.object and x.until > ?2 and x.since <= ?2)
and not exists (
  select 1 from name x
  where x.parent = n.parent and x.until = 9223372036854775807 and x.name = n.name and x.since <= ?2
)
and not exists (
  select 1 from name x indexed by name_ended
  where x.parent = n.parent and x.name = n.name and x.until > ?2 and x.until < 9223372036854775807 and x.since <= ?2
)
"""
_GATHER_LOST = """
delete from temp.lost_name;
insert into temp.lost_name select n.parent,
  exists (select 1 from object x where x.id = n.parent and x.until > ?2 and x.since <= ?2), count(*)
FROM_LOST group by n.parent
""".replace("FROM_LOST", _LOST)
_LOST_PARENTS = "select parent, alive, gone from temp.lost_name where parent > ? order by parent limit ?"
_LOST_IN = "select n.name " + _LOST + "and n.parent = ?3 and n.name > ?4 order by n.name limit ?5"
#: The same by when the name ended; with when it was lost: once its object was gone, and what stood at the name after it, too.
_LOST_BY_TIME = """
select n.until, n.parent, n.name, n.object, max(
  (select max(x.until) from object x where x.id = n.object and x.until <= ?2),
  (select max(x.until) from name x indexed by name_ended
   where x.parent = n.parent and x.name = n.name and x.until <= ?2 and x.until < 9223372036854775807))
FROM_LOST and (n.until, n.parent, n.name) > (?3, ?4, ?5) order by n.until, n.parent, n.name limit ?6
""".replace("FROM_LOST", _LOST)
#: How an object changed, and when it ended.
_VERSIONS = "select since, row from object where id = ?1 and since > ?2 and since <= ?3 order by since"
_OBJECT_ENDED = "select max(until) from object where id = ?1 and until <= ?2"
_CHANGED = """
select o.until, o.id, o.row,
  (select row from object x where x.id = o.id and x.until > ?2 and x.since <= ?2 limit 1)
from object o where (o.until, o.id) > (?3, ?4) and o.until <= ?2 and o.until < 9223372036854775807 and o.since <= ?1
order by o.until, o.id limit ?5
"""
_ENDED_NAMES = """
select max(since, ?3), until, count(*) from name
where until > ?1 and until <= ?2 and until < 9223372036854775807 group by 1, 2
"""
_ENDED_OBJECTS = _ENDED_NAMES.replace("from name", "from object")
_TOUCHED_OBJECTS = """
select distinct id from object
where until > ?1 and until <= ?2 and until < 9223372036854775807 and id > ?3 order by id limit ?4
"""
#: Names that stand for another object than before, or for one again. The pluses keep SQLite to the indexes by time.
_TOUCHED_NAMES = """
select parent, name from (
  select parent, name from name where until > ?1 and until <= ?2 and until < 9223372036854775807
  union
  select parent, name from name where since > ?1 and since <= ?2
) where (+parent, +name) > (?3, ?4) order by 1, 2 limit ?5
"""
#: Names of an object that stood all the time.
_STAYED = "select parent, name from name where object = ?1 and since <= ?2 and until > ?3"
_ENDED_WITHIN = "select 1 from object where id = ? and until > ? and until <= ? limit 1"
_LAST_OF_STRETCHES = """
select max(number) from commits where number > ?1 and number <= ?2 and received >= ?3 group by received / ?4 order by 1
"""
_LAST_BEFORE = (
    "select number from commits where number > ? and number <= ? and received < ? order by number desc limit 1"
)
_FIRST_CONSISTENT = (
    "select number from commits where number >= ? and number <= ? and consistent order by number limit 1"
)
_BEGUN_ANEW = "select max(number) from commits where number > ? and number <= ? and parent = 0"


@dataclass(frozen=True, slots=True)
class More:
    """By how much two counts differ from those before."""

    deleted: int
    rewritten: int


class Losses(Protocol):
    """The brake's questions, for ``CatalogReader``. All raise as its other methods do; moments before the horizon give less
    than was lost."""

    def ended(self, after: CommitNumber, upto: CommitNumber, oldest: CommitNumber) -> tuple[list[Ended], list[Ended]]:
        """Names and objects whose row ended in ``(after, upto]``, by when it began (never said to be before ``oldest``)."""
        arguments = (after, upto, oldest)
        return self._all(_ENDED_NAMES, arguments), self._all(_ENDED_OBJECTS, arguments)

    def deleted(self, base: CommitNumber, target: CommitNumber) -> int:
        """How many names stood at ``base`` whose object is gone at ``target`` and at whose path nothing stands there."""
        ways = _Ways(self, base, target)
        count, last = 0, -1
        self._all(_GATHER_LOST, (base, target))
        while parents := self._all(_LOST_PARENTS, (last, _PAGE)):
            last = parents[-1][0]
            for parent, alive, gone in parents:
                if not alive and (there := ways.counterpart(parent)) is not None:
                    gone = self._lost_in(ways, parent, there)
                count += gone
        return count

    def rewritten(self, base: CommitNumber, target: CommitNumber) -> int:
        """How many regular files of ``base`` have other content at ``target``: changed in place, or another file stands at their
        name and they are gone."""
        ways = _Ways(self, base, target)
        return sum(_is_rewritten(ways, old, new) for _, old, new in self._changed(base, target))

    def first_deleted(self, base: CommitNumber, target: CommitNumber) -> CommitNumber:
        """The commit that took the first of those that :meth:`deleted` counts away; ``NOTHING`` without any."""
        ways = _Ways(self, base, target)
        first, at = 0, (int(base), 1 << 62, b"")
        while rows := self._all(_LOST_BY_TIME, (base, target, *at, _PAGE)):
            at = rows[-1][:3]
            for until, parent, name, object, lost in rows:
                if first and until >= first:
                    return CommitNumber(first)
                if _is_lost(ways, object, parent, name):
                    first = min(first or lost, lost)
        return CommitNumber(first)

    def first_rewritten(self, base: CommitNumber, target: CommitNumber) -> CommitNumber:
        """The commit that gave the first of those that :meth:`rewritten` counts other content; ``NOTHING`` without any."""
        ways, first = _Ways(self, base, target), 0
        for until, old, new in self._changed(base, target):
            if first and until >= first:
                break
            if _is_rewritten(ways, old, new):
                then = self._rewritten_at(decode_object(old), base, target)
                first = min(first or then, then)
        return CommitNumber(first)

    def one_deleted(self, base: CommitNumber, target: CommitNumber) -> bytes | None:
        """The path of one of those that :meth:`deleted` counts, of the first that ended; None without any, or where no way leads
        to it."""
        ways, at = _Ways(self, base, target), (int(base), 1 << 62, b"")
        while rows := self._all(_LOST_BY_TIME, (base, target, *at, _PAGE)):
            at = rows[-1][:3]
            for _, parent, name, object, _ in rows:
                if _is_lost(ways, object, parent, name):
                    above = self.path_of(parent, base)
                    return None if above is None else b"/".join(part for part in (above, name) if part)
        return None

    def one_rewritten(self, base: CommitNumber, target: CommitNumber) -> bytes | None:
        """The same of those that :meth:`rewritten` counts."""
        ways = _Ways(self, base, target)
        for _, old, new in self._changed(base, target):
            if _is_rewritten(ways, old, new):
                return self.path_of(decode_object(old).id, base)
        return None

    def _changed(self, base: CommitNumber, target: CommitNumber) -> Iterator[tuple[int, bytes, bytes | None]]:
        """Objects of ``base`` that changed or ended, by when that was first: ``(until, row, row at target)``."""
        at, last = int(base), 1 << 62
        while rows := self._all(_CHANGED, (base, target, at, last, _PAGE)):
            at, last = rows[-1][:2]
            for until, _, old, new in rows:
                yield until, old, new

    def _rewritten_at(self, was: ObjectRow, base: CommitNumber, target: CommitNumber) -> int:
        """When an object got other content, or was gone for another one."""
        for since, row in self._all(_VERSIONS, (was.id, base, target)):
            if _differs(was, row):
                return int(since)
        return int(self._all(_OBJECT_ENDED, (was.id, target))[0][0])

    def lost_more(self, base: CommitNumber, after: CommitNumber, target: CommitNumber) -> More | None:
        """By how much :meth:`deleted` and :meth:`rewritten` of ``(base, target)`` differ from those of ``(base, after)``; costs
        what changed after ``after``. None where a directory came to, or left, a path of ``base``: that says nothing of what
        is below it, and all is to be asked anew."""
        before, now = _Ways(self, base, after), _Ways(self, base, target)
        deleted = rewritten = 0
        if any(self._turns(place, base, after, target) for place in self._places(after, target)):
            return None
        for id, names, is_whole in self._touched(base, after, target):
            deleted += sum(_is_lost(now, id, *name) - _is_lost(before, id, *name) for name in names)
            old = self.object(id, base) if is_whole else None
            if old is not None:
                rewritten += _is_rewritten(now, old, self.object(id, target))
                rewritten -= _is_rewritten(before, old, self.object(id, after))
        return More(deleted, rewritten)

    def _touched(self, base: CommitNumber, after: CommitNumber, target: CommitNumber) -> Iterator[_Touched]:
        """The objects of ``base`` that changed in ``(after, target]`` with all their names there, and those where something
        else came to stand at a name, with that name; each for its own once."""
        last = -1
        while ids := self._all(_TOUCHED_OBJECTS, (after, target, last, _PAGE)):
            last = ids[-1][0]
            for (id,) in ids:
                yield ObjectId(id), self.names_of(ObjectId(id), base), True
                yield from self._displaced(self._all(_STAYED, (id, after, target)), base, after, target)
        yield from self._displaced(self._places(after, target), base, after, target)

    def _displaced(
        self, places: Iterable[_Place], base: CommitNumber, after: CommitNumber, target: CommitNumber
    ) -> Iterator[_Touched]:
        """What stood at these places at ``base`` and did not change itself in ``(after, target]``."""
        asked, first = None, list[_Place]()
        for place in places:
            id = self.child(*place, base)
            if id is not None and not self._all(_ENDED_WITHIN, (id, after, target)):
                if id != asked:
                    # An object may have very many names, and is come to at each of them.
                    asked, first = id, self.names_of(id, base)[:1]
                yield id, [place], [place] == first

    def _places(self, after: CommitNumber, target: CommitNumber) -> Iterator[_Place]:
        """Where a name ended or began in ``(after, target]``."""
        parent, name = -1, b""
        while places := self._all(_TOUCHED_NAMES, (after, target, parent, name, _PAGE)):
            parent, name = places[-1]
            yield from ((ObjectId(at), each) for at, each in places)

    def _turns(self, place: _Place, base: CommitNumber, after: CommitNumber, target: CommitNumber) -> bool:
        """Whether a directory came to or left this place, and ways of ``base`` may lead over it."""
        if not any(self._is_directory(self.child(*place, at), at) for at in (after, target)):
            return False
        passed = 0
        while self.object(place[0], base) is None:
            above = self.names_of(place[0], target) or self.names_of(place[0], after)
            passed += 1
            if not above or passed > _DEPTH:
                return True
            place = above[0]
        return self.child(*place, base) is not None

    def _is_directory(self, id: ObjectId | None, at: CommitNumber) -> bool:
        row = None if id is None else self.object(id, at)
        return row is not None and decode_object(row).kind == stat.S_IFDIR

    def last_of_stretches(self, after: CommitNumber, upto: CommitNumber, start: int, width: int) -> list[CommitNumber]:
        """Of the commits in ``(after, upto]`` that were received from ``start`` (UTC ns) on: the last of each ``width`` ns."""
        return [CommitNumber(number) for (number,) in self._all(_LAST_OF_STRETCHES, (after, upto, start, width))]

    def last_before(self, after: CommitNumber, upto: CommitNumber, start: int) -> CommitNumber:
        """The last commit in ``(after, upto]`` that was received before ``start`` (UTC ns); ``NOTHING`` for none."""
        for (number,) in self._all(_LAST_BEFORE, (after, upto, start)):
            return CommitNumber(number)
        return NOTHING

    def first_consistent(self, first: CommitNumber, upto: CommitNumber) -> CommitNumber | None:
        """The first consistent commit in ``[first, upto]``."""
        for (number,) in self._all(_FIRST_CONSISTENT, (first, upto)):
            return CommitNumber(number)
        return None

    def begun_anew(self, after: CommitNumber, upto: CommitNumber) -> CommitNumber:
        """The newest commit in ``(after, upto]`` that replaces the empty dataset; ``NOTHING`` for none."""
        return CommitNumber(self._all(_BEGUN_ANEW, (after, upto))[0][0] or NOTHING)

    def _lost_in(self, ways: _Ways, parent: ObjectId, there: ObjectId) -> int:
        """What is lost of a directory that is gone, where another one stands at its path."""
        count, name = 0, b""
        while rows := self._all(_LOST_IN, (ways.base, ways.target, parent, name, _PAGE)):
            name = rows[-1][0]
            count += sum(self.child(there, each, ways.target) is None for (each,) in rows)
        return count

    # What ``Reading`` has.
    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None: ...

    def child(self, parent: ObjectId, name: bytes, at: CommitNumber | None = None) -> ObjectId | None: ...

    def names_of(self, id: ObjectId, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]: ...

    def path_of(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None: ...

    def _all(self, sql: str, arguments: tuple[Any, ...]) -> list[Any]: ...  # Any: as in ``Reading``


class _Ways:
    """Which directory of ``target`` is, or stands in the place of, one of ``base``: whoever builds a tree anew beside the old one
    and swaps the two has deleted nothing."""

    def __init__(self, rows: Losses, base: CommitNumber, target: CommitNumber) -> None:
        self.rows, self.base, self.target = rows, base, target
        self._known: dict[ObjectId, ObjectId | None] = {}

    def counterpart(self, directory: ObjectId) -> ObjectId | None:
        """The directory itself while it lives, else what stands at its path; None for nothing."""
        way: dict[ObjectId, bytes] = {}
        at = directory
        while at not in self._known and not self._lives(at):
            names = self.rows.names_of(at, self.base)
            if not names or at in way:
                return None
            way[at] = names[0][1]
            at = names[0][0]
        there = self._known.get(at, at)
        for id, name in reversed(way.items()):
            there = None if there is None else self.rows.child(there, name, self.target)
            self._keep(id, there)
        return there

    def standing(self, id: ObjectId) -> Iterator[ObjectId]:
        """What stands at the names that an object had."""
        for parent, name in self.rows.names_of(id, self.base):
            there = self.counterpart(parent)
            found = None if there is None else self.rows.child(there, name, self.target)
            if found is not None:
                yield found

    def _lives(self, id: ObjectId) -> bool:
        return id == ROOT or self.rows.object(id, self.target) is not None

    def _keep(self, id: ObjectId, there: ObjectId | None) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id] = there


def _is_lost(ways: _Ways, id: ObjectId, parent: ObjectId, name: bytes) -> bool:
    if ways.rows.object(id, ways.target) is not None:
        return False
    there = ways.counterpart(parent)
    return there is None or ways.rows.child(there, name, ways.target) is None


def _is_rewritten(ways: _Ways, old: bytes, new: bytes | None) -> bool:
    was = decode_object(old)
    if was.kind != stat.S_IFREG:
        return False
    if new is not None:
        return _differs(was, new)
    return any(_differs(was, row) for id in ways.standing(was.id) if (row := ways.rows.object(id, ways.target)))


def _differs(was: ObjectRow, row: bytes) -> bool:
    now = decode_object(row)
    return now.kind == stat.S_IFREG and (now.size, now.content) != (was.size, was.content)
