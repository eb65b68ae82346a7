"""Generations by schedule: what was missed is made up once, also after a restart and whatever the clock does."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from agent.config.values import Dataset, Generations
from agent.core.errors import Refused
from agent.core.problem import ProblemBoard
from agent.generations.schedule import SPREAD
from agent.generations.taking import WantedGeneration
from agent.node.following.generations.generation_taker import GenerationTaker
from agent.node.following.generations.scheduled_generations import AGAIN, ScheduledGenerations
from agent.store.catalog.generation import Cause
from agent.store.local import Local
from fakes.clocks import SetClock
from fakes.eventually import eventually

HOUR = 3600.0


@dataclass(frozen=True)
class FakeDataset:
    """What is read of one."""

    name: str = "web"
    group: str | None = "shop"
    generations: Generations = Generations("0 * * * *")


@dataclass
class FakeTaker:
    """Takes none, and tells of each; ``failure`` is raised."""

    taken: queue.Queue[Cause] = field(default_factory=queue.Queue)
    failure: Refused | None = None

    def take(self, wanted: WantedGeneration, still_wanted: Callable[[], None]) -> None:
        still_wanted()
        self.taken.put(wanted.cause)
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeGroup:
    """The others of the dataset's group; none of them at first. Satisfies ``TakesWithOthers``."""

    group: str = ""
    taken: queue.Queue[int] = field(default_factory=queue.Queue)
    failure: Refused | None = None

    def group_of(self, _dataset: Dataset) -> str:
        return self.group

    def take(self, group: str, due: int, still_wanted: Callable[[], None]) -> None:
        still_wanted()
        self.taken.put(due)
        if self.failure is not None:
            raise self.failure


@dataclass
class Scheduled:
    """A schedule and what it works with; it begins on the hour."""

    local: Local
    whole: bool = True
    clock: SetClock = field(default_factory=lambda: SetClock(1_795_316_400 * 10**9))
    taker: FakeTaker = field(default_factory=FakeTaker)
    others: FakeGroup = field(default_factory=FakeGroup)
    board: ProblemBoard = field(default_factory=ProblemBoard)

    def open(self) -> ScheduledGenerations:
        """As at a start."""
        return ScheduledGenerations(
            lambda: cast(Dataset, FakeDataset()),
            cast(GenerationTaker, self.taker),
            self.others,
            self.local,
            self.clock,
            self.board,
            whole=lambda: self.whole,
        )


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[Scheduled]:
    """Of one dataset."""
    with Local.open(str(tmp_path / "local.db")) as local:
        yield Scheduled(local)


def test_one_is_taken_each_time_and_what_was_missed_once(scheduled: Scheduled) -> None:
    """Nothing was missed before the first look; after a restart it goes on."""
    begun = scheduled.open()
    begun.tick()
    scheduled.clock.advance(HOUR + SPREAD)
    begun.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    begun.close()
    again = scheduled.open()
    scheduled.clock.advance(5 * HOUR)
    again.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    again.close()
    third = scheduled.open()
    third.tick()
    third.close()
    assert scheduled.taker.taken.empty()


def test_nothing_is_taken_before_anything_whole_has_come(scheduled: Scheduled) -> None:
    """And it is made up then."""
    schedule = scheduled.open()
    schedule.tick()
    scheduled.whole = False
    scheduled.clock.advance(3 * HOUR)
    schedule.tick()
    scheduled.whole = True
    schedule.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    schedule.close()
    assert scheduled.taker.taken.empty()


def test_a_clock_that_ran_ahead_stops_no_schedule(scheduled: Scheduled) -> None:
    """Set back by years, it goes on with the next hour."""
    schedule = scheduled.open()
    scheduled.clock.set_by(10 * 365 * 86_400)
    schedule.tick()
    scheduled.clock.set_by(-10 * 365 * 86_400)
    scheduled.clock.advance(60)
    schedule.tick()
    scheduled.clock.advance(HOUR + SPREAD)
    schedule.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    schedule.close()


def test_one_that_cannot_be_taken_is_told_and_tried_again(scheduled: Scheduled) -> None:
    """With its time; the problem ends with the next that is taken."""
    schedule = scheduled.open()
    schedule.tick()
    scheduled.taker.failure = Refused("take a generation", "web", "the disk is full", "free some")
    scheduled.clock.advance(HOUR + SPREAD)
    schedule.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    eventually(lambda: scheduled.board.has("generation-missed"))
    scheduled.taker.failure = None
    scheduled.clock.advance(AGAIN)
    schedule.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    eventually(lambda: not scheduled.board.has("generation-missed"))
    schedule.close()


def test_what_is_due_is_taken_with_the_group(scheduled: Scheduled) -> None:
    """By one moment of all: the dataset takes none of its own."""
    scheduled.others.group = "shop"
    schedule = scheduled.open()
    schedule.tick()
    scheduled.clock.advance(HOUR + SPREAD)
    schedule.tick()
    assert 1_795_320_000 * 10**9 == scheduled.others.taken.get(timeout=60)
    schedule.close()
    assert scheduled.taker.taken.empty()


def test_where_the_group_has_no_moment_each_is_taken_by_itself(scheduled: Scheduled) -> None:
    """It is said with what to type; the next moment of all ends that."""
    scheduled.others.group = "shop"
    scheduled.others.failure = Refused("take", "shop", "disk is held", "see hikae status disk")
    schedule = scheduled.open()
    schedule.tick()
    scheduled.clock.advance(HOUR + SPREAD)
    schedule.tick()
    assert Cause.SCHEDULE == scheduled.taker.taken.get(timeout=60)
    eventually(lambda: scheduled.board.has("generation-apart"))
    ((told, *_), _) = scheduled.board.listed()
    assert "by itself, not of one moment with the others of group shop: disk is held" in told.message
    scheduled.others.failure = None
    scheduled.clock.advance(HOUR)
    schedule.tick()
    eventually(lambda: not scheduled.board.has("generation-apart"))
    schedule.close()
