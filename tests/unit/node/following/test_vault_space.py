"""What a vault takes, and what its limit does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.core.commit import Changes
from agent.core.ids import ROOT
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import DISK_RESERVE, VAULT_FULL
from agent.fs.reserve import VaultLimitReached
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.short_history import short_history
from agent.node.following.vault_space import SpaceStores, VaultSpace
from agent.status.figures import size_text
from agent.store.local import Local
from fakes.clocks import SetClock
from fakes.store_fakes import begun, dir_row, expire, header, number

KIB = 1 << 10
ENTRY = DatasetEntry("web", "/srv/web", "alpha", ("beta",))


class Bench:
    """A vault of one file that is as long as one likes."""

    def __init__(self, place: Path, limit: int | None) -> None:
        self.place = place
        self.clock = SetClock()
        self.board = ProblemBoard()
        self.dataset = replace(resolve_dataset(ENTRY, "beta"), vault_limit=limit)
        self.local = Local.open(str(place / "local.db"))
        self.catalog = begun(str(place / "catalog.db"))
        (place / "vault" / "packs").mkdir(parents=True)
        self.takes(0)
        stores = SpaceStores(place / "vault", self.catalog.reader, self.local)
        self.space = VaultSpace(stores, lambda: self.dataset, self.board, self.clock)

    def takes(self, size: int) -> None:
        """So many bytes."""
        with (self.place / "vault" / "packs" / "00000000.pack").open("wb") as pack:
            pack.truncate(size)

    def close(self) -> None:
        """The stores."""
        self.local.close()
        self.catalog.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """With a limit of 100 KiB."""
    made = Bench(tmp_path, 100 * KIB)
    yield made
    made.close()


def test_nothing_more_comes_once_the_limit_is_reached(bench: Bench) -> None:
    """It is looked at when so much came that it could be, and told; it goes on by itself with a little more room."""
    bench.takes(99 * KIB)
    bench.space.require(50 * KIB)
    bench.takes(100 * KIB)
    with pytest.raises(VaultLimitReached, match="its limit is 100 KiB"):
        bench.space.require(60 * KIB)
    refuse = bench.space.refusal()
    assert refuse is not None
    assert (DISK_RESERVE, True) == (refuse.code, bench.board.has(VAULT_FULL))
    bench.takes(99 * KIB)
    assert bench.space.refusal() is not None
    bench.takes(97 * KIB)
    assert (None, False) == (bench.space.refusal(), bench.board.has(VAULT_FULL))


def test_a_limit_that_is_raised_lets_it_go_on(bench: Bench) -> None:
    """With the next look; without a limit nothing is asked."""
    bench.takes(100 * KIB)
    bench.space.tick(0)
    assert bench.board.has(VAULT_FULL)
    bench.dataset = replace(bench.dataset, vault_limit=None)
    bench.clock.advance(11)
    bench.space.tick(0)
    bench.space.require(1 << 40)
    assert not bench.board.has(VAULT_FULL)


def test_history_gets_shorter_before_that(bench: Bench) -> None:
    """With each collection that leaves too little room; meanwhile collections come sooner."""
    bench.takes(95 * KIB)
    bench.clock.advance(11)
    bench.space.tick(0)
    assert (True, 86_400) == (bench.space.hurries, bench.space.shortened().history)
    bench.space.tick(1)
    bench.space.tick(1)
    assert 64_800 == bench.space.shortened().history
    bench.takes(10 * KIB)
    bench.clock.advance(11)
    for collections in range(2, 5):
        bench.space.tick(collections)
    assert (False, 86_400) == (bench.space.hurries, bench.space.shortened().history)


def test_a_clock_that_was_wrong_once_shortens_no_history(bench: Bench) -> None:
    """Half a century ahead for one commit, then right again: a day of history goes by a quarter, not at once."""
    keeper = GenerationKeeper(RetentionTicks(bench.clock, "boot"), lambda: bench.dataset)
    for hour in range(31):
        if hour in (2, 3):
            bench.clock.set_by((2.5 - hour) * 100 * 365 * 86_400)
        now = bench.clock.now_ns()
        bench.catalog.write(Changes((dir_row(ROOT, hour),)), header(hour + 2, time=now))
        if begins := keeper.upkeep(bench.catalog):
            expire(bench.catalog, begins)
        bench.clock.advance(3600)
    bench.takes(95 * KIB)
    bench.space.tick(1)
    assert (number(8), 64_800) == (bench.catalog.horizon(), bench.space.shortened().history)


def test_growth_outlives_a_restart(bench: Bench) -> None:
    """It is sampled each hour."""
    for hour in range(26):
        bench.takes(hour * KIB)
        bench.space.tick(0)
        bench.clock.advance(3600)
    bench.space = VaultSpace(
        SpaceStores(bench.place / "vault", bench.catalog.reader, bench.local),
        lambda: bench.dataset,
        bench.board,
        bench.clock,
    )
    facts = bench.space.facts()
    assert (25 * KIB, 100 * KIB) == (facts.bytes, facts.limit)
    assert facts.bytes_per_day is not None
    assert 22 * KIB < facts.bytes_per_day < 25 * KIB
    assert facts.full_at_ns is not None
    assert 3 * 86_400 * 10**9 < facts.full_at_ns - bench.clock.now_ns() < 4 * 86_400 * 10**9


@pytest.mark.parametrize("shrinks", [0, 100], ids=["no-growth", "shrinking"])
def test_what_comes_in_is_known_where_the_vault_grows_no_more(bench: Bench, shrinks: int) -> None:
    """Its history is shortened: what leaves is as much as what comes, or more. A restart forgets a minute of it at most; nothing
    is said before an hour is known, and a first sync is not counted."""
    bench.space.require(90 * KIB)
    bench.space.tick(0, follows=False)
    assert None is bench.space.changes_per_day()
    for minute in range(26 * 60):
        if not minute % 60:
            bench.takes(95 * KIB - minute // 60 * shrinks)
            bench.space.require(KIB)
        if minute == 400:
            stores = SpaceStores(bench.place / "vault", bench.catalog.reader, bench.local)
            bench.space = VaultSpace(stores, lambda: bench.dataset, bench.board, bench.clock)
        bench.clock.advance(60)
        bench.space.tick(0)
        if minute == 30:
            assert None is bench.space.changes_per_day()
    bench.space.tick(1)
    changes, growth = bench.space.changes_per_day(), bench.space.facts().bytes_per_day
    assert changes is not None
    assert growth is not None
    assert growth <= 0
    assert 23 * KIB <= changes <= 25 * KIB
    problem = short_history(bench.dataset, bench.space.shortened().history, bench.space.facts(), changes, 5)
    assert problem is not None
    assert f"{size_text(changes)} of changes come in a day" in problem.message
