"""Upkeep of a standby's catalog: short turns, far apart, and never more than may go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from agent.apply.checkpoint import CHECKPOINT, LATE
from agent.apply.commit_numbers import packed
from agent.apply.holds import PINNED
from agent.apply.needed_history import needed_history
from agent.config.values import Dataset
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, ROOT, object_id
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.history_upkeep import HistoryUpkeep, UpkeepLimits, upkeep_of
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Horizons
from agent.store.local import Local
from agent.store.sqlite import query
from fakes.kept_stores import KeptDataset
from fakes.store_fakes import begun, dir_row, file_row, header, number

COMMITS = 40
LIMITS = UpkeepLimits(turn=0.03, slice=0.01, share=3.0, pause=60.0, least_rows=4, most_rows=8)


class Ticking(ManualClock):
    """A clock by which every look takes some seconds."""

    def __init__(self, look: float) -> None:
        super().__init__()
        self.look = look

    def monotonic(self) -> float:
        self.advance(self.look)
        return super().monotonic()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Forty commits, each a second after the one before, with four new versions each."""
    with begun(str(tmp_path / "catalog.db")) as opened:
        for seq in range(2, COMMITS + 1):
            rows = [dir_row(ROOT, seq), *(file_row(object_id(1, id), seq) for id in (1, 2, 3))]
            opened.write(Changes(rows), header(seq, time=seq * 10**9))
        yield opened


def ended(catalog: Catalog) -> int:
    """How many rows are only for history."""
    found: int = query(catalog._connection, "select count(*) from object where until < 9223372036854775807")[0][0]
    return found


def test_a_turn_is_short_and_the_next_comes_after_a_rest(catalog: Catalog) -> None:
    """After the slice that takes it over its time nothing is begun; then three times as long belongs to others."""
    clock = Ticking(0.02)
    upkeep = HistoryUpkeep(catalog, lambda: Horizons(number(COMMITS), number(COMMITS)), clock, LIMITS)
    left = []
    for _ in range(3):
        upkeep.turn()
        left.append(ended(catalog))
    assert left[0] == left[1]
    clock.advance(1.0)
    upkeep.turn()
    assert 0 < ended(catalog) < left[0]


def test_all_that_may_go_goes_and_then_nothing_is_asked_for_a_while(catalog: Catalog) -> None:
    """One upkeep takes everything; the next begins a pause later."""
    clock, asked = ManualClock(), list[int]()

    def wanted() -> Horizons:
        asked.append(1)
        return Horizons(number(COMMITS), number(COMMITS))

    upkeep = HistoryUpkeep(catalog, wanted, clock, LIMITS)
    for _ in range(5):
        upkeep.turn()
    assert (0, 1) == (ended(catalog), len(asked))
    clock.advance(LIMITS.pause)
    upkeep.turn()
    assert 2 == len(asked)


def test_a_full_disk_is_waited_for(catalog: Catalog) -> None:
    """It ends no call and no dataset."""
    clock, full = ManualClock(), [TryAgain("expire history", "catalog.db", "the disk is full", "free some")]

    def wanted() -> Horizons:
        if full:
            raise full.pop()
        return Horizons(number(COMMITS), number(COMMITS))

    upkeep = HistoryUpkeep(catalog, wanted, clock, LIMITS)
    upkeep.turn()
    clock.advance(LIMITS.pause)
    upkeep.turn()
    assert 0 == ended(catalog)


def test_a_commit_that_is_staged_is_waited_for(catalog: Catalog) -> None:
    """It ends no call: the next upkeep does what this one could not."""
    clock = ManualClock()
    upkeep = HistoryUpkeep(catalog, lambda: Horizons(number(COMMITS), number(COMMITS)), clock, LIMITS)
    catalog.stage(number(COMMITS + 1), Changes([file_row(object_id(1, 1), 99)]))
    before = ended(catalog)
    upkeep.turn()
    assert before == ended(catalog)
    catalog.withdraw()
    clock.advance(LIMITS.pause)
    upkeep.turn()
    assert 0 == ended(catalog)


@pytest.mark.parametrize(
    ("stands", "late", "pinned", "expected"),
    [(0, (), 0, 0), (9, (), 0, 9), (9, (7, 3), 0, 7), (9, (), 4, 4), (9, (7, 3), 4, 4), (0, (), 4, 0)],
)
def test_what_a_standby_needs(tmp_path: Path, stands: int, late: tuple[int, ...], pinned: int, expected: int) -> None:
    """Its checkpoint, what it equals with files that are late, and from where a hold was judged."""
    with Local.open(str(tmp_path / "local.db")) as local:
        local.set_value(CHECKPOINT, packed((stands,)))
        local.set_value(LATE, packed(late))
        local.set_value(PINNED, packed((pinned,)))
        assert expected == needed_history(local)


def test_a_standby_of_which_nothing_is_known_needs_all(tmp_path: Path) -> None:
    """Nothing goes before it equals anything."""
    with Local.open(str(tmp_path / "local.db")) as local:
        assert NOTHING == needed_history(local)


def test_what_is_older_than_some_minutes_is_thinned_up_to_what_the_standby_needs(tmp_path: Path) -> None:
    """By the upkeep as a standby makes it: one commit a second stays of what came before its checkpoint."""
    clock = ManualClock()
    dataset = cast(Dataset, KeptDataset())
    keeper = GenerationKeeper(RetentionTicks(clock, "boot"), lambda: dataset)
    path = str(tmp_path / "catalog.db")
    with begun(path) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        for seq in range(2, COMMITS + 1):
            catalog.write(Changes([dir_row(ROOT, seq)]), header(seq, time=seq // 4 * 10**9))
        local.set_value(CHECKPOINT, packed((number(10),)))
        upkeep = upkeep_of(catalog, local, clock, lambda: dataset, keeper, lambda _: NOTHING)
        for seconds in (0, 601, 60):
            clock.advance(seconds)
            for _ in range(20):
                upkeep.turn()
                clock.advance(0.1)
        assert [1, 3, 7, 10, 11] == [one.number - number(0) for one in catalog.commits(NOTHING, 5)]
