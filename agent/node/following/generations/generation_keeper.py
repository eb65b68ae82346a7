"""Generations in a standby's catalog: written and let go by whoever holds its writing side, dated by the retention clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from agent.config.values import Dataset, Generations
from agent.core.clock import Clock
from agent.core.ids import CommitNumber
from agent.core.kept import HistoryFacts
from agent.generations.moments import named, oldest_readable
from agent.generations.retention import RetentionMoment, RetentionVerdict, judged_generations, releases
from agent.generations.retention_clock import RetentionTime, Ticks, first_retention_time
from agent.generations.taking import (
    SourceAnswer,
    TakenAt,
    WantedGeneration,
    generation_of,
    require_exact,
    require_new_label,
)
from agent.node.following.generations.generation_notes import GenerationNotes
from agent.store.catalog import generation
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Generation
from agent.store.catalog.leases import readings
from agent.store.catalog.reader import Reading

_SECOND = 10**9
_MINUTE = 60 * _SECOND
#: So long every commit stays; of what is older the last one of each second.
_WHOLE = 10 * _MINUTE
#: So many go in one upkeep: a commit may wait for it. The next one goes on.
_AT_ONCE = 100
_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class RetentionTicks:
    """The machine's clocks, for the retention clock."""

    clock: Clock
    boot: str

    def now(self) -> Ticks:
        """What they show."""
        return Ticks(self.clock.now_ns(), int(self.clock.monotonic() * 1e9), self.boot)


def retention_time(reader: Reading, ticks: Ticks) -> RetentionTime:
    """The retention clock now, as a catalog has it; it begins with the first time that it is written."""
    row = reader.retention_row()
    if row is None:
        return first_retention_time(ticks)
    now, wall, since_boot, boot = row
    return RetentionTime(now, Ticks(wall, since_boot, boot)).moved(ticks)


@dataclass(frozen=True, slots=True)
class _Released:
    """What was found of ``generations``, as they were at so many ``moves``, by these ``rules`` and this history (ns): see
    ``retention.releases``."""

    moves: int
    rules: tuple[Generations, int]
    generations: list[Generation]
    found: list[tuple[int, Generation]]


class GenerationKeeper:
    """Of one standby. Every method that is given the catalog is for who holds its writing side, between two commits. ``dataset``:
    as it is configured now, read at each use."""

    def __init__(self, ticks: RetentionTicks, dataset: Callable[[], Dataset]) -> None:
        self._ticks = ticks
        self._dataset = dataset
        #: For status; as it was when it was looked at last. Replaced as a whole.
        self.history: HistoryFacts | None = None
        self._notes = GenerationNotes(ticks.clock)
        self._released: _Released | None = None

    @property
    def _rules(self) -> Generations:
        return self._dataset().generations

    def keep(self, catalog: Catalog, wanted: WantedGeneration, answer: SourceAnswer) -> Generation:
        """Keep a generation, durably. Raises as ``generation_of`` and ``Catalog.keep_generations``."""
        name = self._dataset().name
        require_new_label(catalog, name, wanted.label)
        dated = self.move_clock(catalog)
        at = TakenAt(wanted.at or self._ticks.clock.now_ns(), dated, (self._rules.immutable_for or 0) * _SECOND)
        one = generation_of(catalog, name, wanted, answer, at)
        catalog.keep_generations([one])
        self._notes.taken(one)
        self.look(catalog)
        return one

    def keep_together(self, catalog: Catalog, wanted: WantedGeneration, answer: SourceAnswer) -> Generation:
        """As :meth:`keep`, of the very commit that was answered. Raises ``TryAgain`` where that is not here."""
        require_exact(catalog, self._dataset().name, answer.number)
        return self.keep(catalog, wanted, answer)

    def take_back(self, catalog: Catalog, one: Generation) -> None:
        """One that was kept a moment ago is to be none: those that were to be taken with it could not be."""
        self._drop(catalog, [one])
        self.look(catalog)

    def pin(self, catalog: Catalog, said: str, *, pinned: bool) -> Generation:
        """Keep a generation until it is unpinned, or leave it to the rules from now on. Raises as ``moments.named``."""
        one = named(catalog.generations(), self._dataset().name, said)
        if one.pinned != pinned:
            one = replace(one, pinned=pinned)
            catalog.keep_generations([one])
            self._notes.pinned(one)
            self.look(catalog)
        return one

    def note_lost(self, catalog: Catalog, files: Mapping[str, int]) -> None:
        """So many files of each generation, by name, need what is lost for good; of one that is not named none does."""
        noted = [
            replace(one, incomplete=catalog.owed_count(one.number) + files.get(one.name, 0))
            for one in catalog.generations()
        ]
        if changed := [one for one, was in zip(noted, catalog.generations(), strict=True) if one != was]:
            catalog.keep_generations(changed)

    @property
    def saw_nothing(self) -> bool:
        """Whether there was no past yet when it was looked at last, or nobody looked. Any thread."""
        return self.history is None or self.history.reaches_ns is None

    def look(self, reader: Reading) -> None:
        """See what is kept now."""
        self._tell(reader, reader.generations())

    def _tell(self, reader: Reading, kept: Sequence[Generation]) -> None:
        oldest = oldest_readable(reader)
        reaches = oldest.time if oldest is not None else None
        taken = [one.taken for one in kept]
        self.history = HistoryFacts(
            reaches, len(kept), min(taken, default=None), max(taken, default=None), self._notes.newest
        )

    def move_clock(self, catalog: Catalog) -> int:
        """The retention clock now (ns). It is written down, durable with the next commit: what a power cut takes back of it keeps
        longer."""
        moved = retention_time(catalog, self._ticks.now())
        row = (moved.now, moved.at.wall, moved.at.since_boot, moved.at.boot)
        newest = catalog.newest()
        with catalog.between_commits("move the retention clock", durable=False) as connection:
            generation.set_retention(connection, row)
            if newest is not None:
                generation.note_passed(connection, moved.now, newest.number, moved.now - self._history)
        return moved.now

    def whole_since(self, reader: Reading) -> CommitNumber:
        """The commit from which on all of history is kept, and not only the last of each second."""
        return reader.passed_before(self._retained(reader) - _WHOLE)

    @property
    def _history(self) -> int:
        """How far history is to reach (ns), also for the brake's window."""
        dataset = self._dataset()
        return max(dataset.history, dataset.brake.window) * _SECOND

    def verdicts(self, reader: Reading) -> list[RetentionVerdict]:
        """What the rules say now of each generation, the oldest first. Any reader may ask."""
        generations, now = reader.generations(), self._retained(reader)
        promised = [self._promised(one) for one in generations]
        read = {one.number for one in readings(reader.path)}
        return judged_generations(
            promised, self._rules.keep, RetentionMoment(now, None, read, self._ticks.clock.now_ns() - now)
        )

    def promised_until(self, reader: Reading, one: Generation) -> int:
        """Until when a generation may not be expired, by the rules of now or of before: UTC ns by this node's clock, which may be
        ahead of the retention clock; 0: nothing was promised. Any reader may ask."""
        until = self._promised(one).immutable_until
        return until + self._behind(self._retained(reader)) if until else 0

    def _retained(self, reader: Reading) -> int:
        return retention_time(reader, self._ticks.now()).now

    def _behind(self, retained: int) -> int:
        """How much later it is by this node's clock, to the minute: what is less is not worth a word."""
        return int((self._ticks.clock.now_ns() - retained) / _MINUTE) * _MINUTE

    def _promised(self, one: Generation) -> Generation:
        """A promise that is longer by what is configured now holds for what is there already; a shorter one for none of it."""
        until = one.dated + (self._rules.immutable_for or 0) * _SECOND
        return replace(one, immutable_until=max(one.immutable_until, until)) if self._rules.immutable_for else one

    def expire_all(self, catalog: Catalog) -> list[RetentionVerdict]:
        """Let go of all that no rule keeps; what was judged."""
        self.move_clock(catalog)
        verdicts = self.verdicts(catalog)
        self._do(catalog, verdicts)
        return verdicts

    def _do(self, catalog: Catalog, verdicts: Sequence[RetentionVerdict]) -> None:
        """What goes, goes; what was promised longer by now is written down."""
        was = {one.name: one for one in catalog.generations()}
        promised = [one.generation for one in verdicts if not one.goes and one.generation != was[one.generation.name]]
        if promised:
            catalog.keep_generations(promised)
        gone = [one.generation for one in verdicts if one.goes]
        if gone:
            self._drop(catalog, gone)
        self.look(catalog)

    def _drop(self, catalog: Catalog, gone: Sequence[Generation]) -> None:
        catalog.drop_generations(gone)
        self._notes.expired(sorted(gone, key=lambda one: one.taken))

    def _releases(self, catalog: Catalog) -> list[tuple[int, Generation]]:
        """See ``retention.releases``; found anew where a generation or a rule changed; then what was promised longer is
        written down."""
        history = self._dataset().history * _SECOND
        rules = self._rules, history
        known = self._released
        if known is None or (known.moves, known.rules) != (catalog.generation_moves, rules):
            self._promise(catalog)
            kept = catalog.generations()
            found = releases(kept, self._rules.keep, history)
            known = self._released = _Released(catalog.generation_moves, rules, kept, found)
            self._tell(catalog, kept)
        return known.found

    def _know_less(self, catalog: Catalog, gone: Sequence[Generation]) -> None:
        """What is known of all, after these went: no rule kept them, so the others are judged as before."""
        assert self._released is not None
        names = {one.name for one in gone}
        kept = [one for one in self._released.generations if one.name not in names]
        found = [release for release in self._released.found if release[1].name not in names]
        self._released = replace(self._released, moves=catalog.generation_moves, generations=kept, found=found)
        self._tell(catalog, kept)

    def _promise(self, catalog: Catalog) -> None:
        promised = [one for was in catalog.generations() if (one := self._promised(was)) != was]
        if promised:
            catalog.keep_generations(promised)

    def _look_back(self, reader: Reading) -> None:
        """How far history reaches is seen anew."""
        oldest = oldest_readable(reader)
        if self.history is not None:
            self.history = replace(self.history, reaches_ns=oldest.time if oldest is not None else None)

    def upkeep(self, catalog: Catalog) -> CommitNumber:
        """Once an upkeep: the clock moves on, and what history has passed and no rule keeps goes; the commit with which history
        is to begin. A generation within history costs nothing, so it stays by itself. Where no generation came or went since the
        last upkeep, it costs what goes."""
        now = self.move_clock(catalog)
        releases = self._releases(catalog)
        due = [one for _, one in releases[: bisect_right(releases, now, key=lambda release: release[0])]]
        read = {one.number for one in readings(catalog.path)} if due else set()
        gone = [one for one in due if one.number not in read][:_AT_ONCE]
        if gone:
            self._drop(catalog, gone)
            self._know_less(catalog, gone)
            _log.info(
                "generations that no rule keeps are gone",
                dataset=self._dataset().name,
                count=len(gone),
                oldest=gone[0].name,
                newest=gone[-1].name,
            )
        self._look_back(catalog)
        return catalog.passed_before(now - self._history)
