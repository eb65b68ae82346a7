"""Generations in a standby's catalog: kept, expired and dated, whatever the clocks show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import apsw
import pytest

from agent.config.values import Brake, Dataset, Generations, Keep
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT
from agent.generations.local_time import time_text
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause
from fakes.clocks import SetClock
from fakes.store_fakes import begun, dir_row, header, number

DAY = 86_400
YEAR = 365 * DAY


@dataclass(frozen=True)
class FakeDataset:
    """What a keeper reads of one."""

    name: str = "web"
    history: int = DAY
    brake: Brake = Brake()
    generations: Generations = Generations(keep=Keep(last=1))


@dataclass
class Kept:
    """A keeper, its clock, and a catalog that it keeps."""

    catalog: Catalog
    clock: SetClock
    dataset: FakeDataset = FakeDataset()
    seq: int = 1

    def __post_init__(self) -> None:
        self.keeper = GenerationKeeper(RetentionTicks(self.clock, "boot"), lambda: cast(Dataset, self.dataset))

    def commit(self) -> None:
        """Another change."""
        self.seq += 1
        self.catalog.write(Changes((dir_row(ROOT, self.seq),)), header(self.seq))

    def take(self, pinned: bool = False) -> str:
        """A commit and a generation of it."""
        self.commit()
        wanted = WantedGeneration(Cause.DEMAND, pinned=pinned)
        return self.keeper.keep(self.catalog, wanted, SourceAnswer(NOTHING)).name

    def names(self) -> list[str]:
        """What is kept."""
        return [one.name for one in self.catalog.generations()]


@pytest.fixture
def kept(tmpfs_dir: Path) -> Iterator[Kept]:
    """One commit."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        yield Kept(opened, SetClock())


def test_by_itself_only_what_history_has_passed_goes(kept: Kept) -> None:
    """Within history a generation costs nothing; a command takes the rules at their word."""
    first, second = kept.take(), kept.take()
    kept.clock.advance(DAY - 1)
    kept.keeper.upkeep(kept.catalog)
    assert [first, second] == kept.names()
    kept.clock.advance(2)
    kept.keeper.upkeep(kept.catalog)
    assert [second] == kept.names()
    third = kept.take()
    verdicts = kept.keeper.expire_all(kept.catalog)
    assert ([third], [True, False]) == (kept.names(), [one.goes for one in verdicts])


def test_no_jump_of_the_clock_expires_anything(kept: Kept) -> None:
    """Neither generations nor history: a year ahead, and back to 1970."""
    names = [kept.take(), kept.take()]
    for jump in (50 * YEAR, -100 * YEAR, 51 * YEAR):
        kept.clock.set_by(jump)
        begins = kept.keeper.upkeep(kept.catalog)
        assert (names, NOTHING) == (kept.names(), begins)


def test_what_was_promised_stays_so_long(kept: Kept) -> None:
    """A shorter rule takes nothing back, a longer one holds for what is there, also after it was shortened again."""
    kept.dataset = replace(kept.dataset, generations=Generations(keep=Keep(last=1), immutable_for=3 * DAY))
    first = kept.take()
    kept.take()
    kept.dataset = replace(kept.dataset, generations=Generations(keep=Keep(last=1), immutable_for=9 * DAY))
    kept.keeper.upkeep(kept.catalog)
    kept.dataset = replace(kept.dataset, generations=Generations(keep=Keep(last=1)))
    kept.clock.advance(9 * DAY - 1)
    kept.keeper.expire_all(kept.catalog)
    assert first in kept.names()
    kept.clock.advance(1)
    kept.keeper.expire_all(kept.catalog)
    assert first not in kept.names()


def test_a_promise_is_said_by_the_clock_that_people_look_at(kept: Kept) -> None:
    """While the machine was off the retention clock stood, so it ends later; what is promised by now counts."""
    kept.dataset = replace(kept.dataset, generations=Generations(keep=Keep(last=1), immutable_for=DAY))
    kept.take()
    kept.clock.set_by(30 * DAY)
    kept.dataset = replace(kept.dataset, generations=Generations(keep=Keep(last=1), immutable_for=3 * DAY))
    ends = kept.clock.now_ns() + 3 * DAY * 10**9
    (one,), (verdict,) = kept.catalog.generations(), kept.keeper.verdicts(kept.catalog)
    assert f"immutable until {time_text(ends)}; last 1 of 1" == verdict.why
    assert ends == kept.keeper.promised_until(kept.catalog, one)


def test_a_pin_stays(kept: Kept) -> None:
    """Whatever the rules say."""
    pinned, newest = kept.take(pinned=True), kept.take()
    kept.clock.advance(10 * YEAR)
    kept.keeper.upkeep(kept.catalog)
    assert [pinned, newest] == kept.names()


def test_history_begins_with_what_stood_then(kept: Kept) -> None:
    """By the retention clock; what is older than it needs is not remembered."""
    begins = []
    for _ in range(4):
        kept.commit()
        begins.append(kept.keeper.upkeep(kept.catalog))
        kept.clock.advance(DAY / 2)
    assert [NOTHING, NOTHING, number(2), number(3)] == begins


def test_a_restart_goes_on_with_the_clock(kept: Kept) -> None:
    """What passed since it was written counts; another boot is told apart."""
    begun_at = kept.keeper.move_clock(kept.catalog)
    kept.clock.advance(60)
    again = Kept(kept.catalog, kept.clock)
    assert begun_at + 60 * 10**9 == again.keeper.move_clock(kept.catalog)


def test_every_commit_of_the_last_ten_minutes_stays(tmpfs_dir: Path) -> None:
    """By the retention clock: what was the newest before them may be thinned, and a jump of the clock thins nothing."""
    with begun(str(tmpfs_dir / "catalog.db")) as catalog:
        kept = Kept(catalog, SetClock())
        kept.commit()
        kept.keeper.upkeep(catalog)
        kept.clock.set_by(YEAR)
        kept.commit()
        kept.keeper.upkeep(catalog)
        found = [kept.keeper.whole_since(catalog)]
        kept.clock.advance(601)
        found.append(kept.keeper.whole_since(catalog))
        assert [NOTHING, number(3)] == found


def test_an_upkeep_costs_what_goes_and_not_what_is_kept(tmpfs_dir: Path) -> None:
    """Where no generation came or went since the last one, none of 500 is looked at."""
    with begun(str(tmpfs_dir / "catalog.db")) as catalog:
        kept = Kept(catalog, SetClock(), FakeDataset(generations=Generations(keep=Keep(last=1000))))
        wanted = WantedGeneration(Cause.DEMAND)
        one = kept.keeper.keep(catalog, wanted, SourceAnswer(NOTHING))
        catalog.keep_generations([replace(one, name=f"20300101T{at:06}Z") for at in range(500)])
        steps: list[int] = []
        kept.keeper.upkeep(catalog)
        catalog._connection.trace_v2(
            apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
        )
        kept.clock.advance(60)
        kept.keeper.upkeep(catalog)
        catalog._connection.trace_v2(0, None)
        assert sum(steps) < 500


def test_a_past_that_nobody_saw_is_looked_for(kept: Kept) -> None:
    """Before the first look, and after one that came before anything did."""
    assert kept.keeper.saw_nothing
    kept.keeper.look(kept.catalog)
    assert not kept.keeper.saw_nothing
