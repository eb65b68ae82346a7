"""What stood when a hundredth of it was gone is kept, at most once an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from agent.config.values import Brake, Dataset, Generations
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.hold import Hold
from agent.core.ids import NOTHING, ROOT
from agent.core.problem_codes import MASS_DELETION, SOURCE_EMPTIED, STANDBY_GONE
from agent.node.following.errands import Errands
from agent.node.following.generations.brake_generations import EVERY, BrakeGenerations
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.served_calls import ServedCalls
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause
from fakes.store_fakes import begun, dir_row, header, number


@dataclass(frozen=True)
class FakeDataset:
    """What a keeper reads of one."""

    name: str = "web"
    history: int = 86_400
    brake: Brake = Brake()
    generations: Generations = Generations()


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Nine commits."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in range(2, 10):
            opened.write(Changes((dir_row(ROOT, seq),)), header(seq))
        yield opened


def test_once_an_hour_also_after_a_restart(catalog: Catalog) -> None:
    """The same place is kept once; nothing before anything was noted."""
    clock = ManualClock()
    keeper = GenerationKeeper(RetentionTicks(clock, "boot"), lambda: cast(Dataset, FakeDataset()))
    errands = Errands("web", catalog, ServedCalls("web", clock), lambda: None)
    kept: list[list[int]] = []

    def look(brakes: BrakeGenerations, noted: int) -> None:
        brakes.look(number(noted) if noted else NOTHING)
        errands.turn()
        kept.append([one.number for one in catalog.generations() if one.cause is Cause.BRAKE])

    first, again = (BrakeGenerations("web", keeper, errands, clock) for _ in range(2))
    for brakes, noted in ((first, 0), (first, 3), (first, 4), (again, 5)):
        look(brakes, noted)
    clock.advance(EVERY)
    look(first, 3)
    look(first, 6)
    three, six = number(3), number(6)
    assert [[], [three], [three], [three], [three], [three, six]] == kept


def test_a_hold_names_what_was_kept_before_it(catalog: Catalog) -> None:
    """Also after a restart; not a hold of anything else, and not one that came at once, long after something else was noted."""
    clock = ManualClock()
    keeper = GenerationKeeper(RetentionTicks(clock, "boot"), lambda: cast(Dataset, FakeDataset()))
    errands = Errands("web", catalog, ServedCalls("web", clock), lambda: None)

    def told(brakes: BrakeGenerations, code: str) -> str:
        hold = brakes.told(Hold(code, "", since=clock.now_ns()))
        assert hold is not None
        return hold.generation

    brakes, again = (BrakeGenerations("web", keeper, errands, clock) for _ in range(2))
    assert ("", None) == (told(brakes, MASS_DELETION), brakes.told(None))
    for one in (brakes, again):
        one.look(number(3))
        errands.turn()
    (kept,) = catalog.generations()
    for one in (brakes, again):
        assert [kept.name, kept.name, ""] == [told(one, code) for code in (MASS_DELETION, SOURCE_EMPTIED, STANDBY_GONE)]
    clock.advance(EVERY)
    assert [kept.name, ""] == [told(brakes, code) for code in (MASS_DELETION, SOURCE_EMPTIED)]
