"""The schedule of a group: taken once for all whose schedule is the same, whoever is due first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

import pytest

from agent.config.values import Dataset, Generations, Settings
from agent.core.errors import Refused, TryAgain
from agent.node.grouped.scheduled import ScheduledGroups
from fakes.eventually import eventually


@dataclass(frozen=True)
class FakeDataset:
    """What is read of one."""

    name: str
    group: str | None = "shop"
    generations: Generations = Generations("0 * * * *")


@dataclass(frozen=True)
class FakeSettings:
    """What is configured."""

    datasets: tuple[FakeDataset, ...]


@dataclass
class Scheduled:
    """A group of two, and how often all of it was taken; ``failure`` is raised."""

    datasets: tuple[FakeDataset, ...] = (FakeDataset("disk"), FakeDataset("web"))
    failure: Refused | None = None
    taken: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.groups = ScheduledGroups(lambda: cast(Settings, FakeSettings(self.datasets)), self.take)

    def take(self, group: str, _still_wanted: Callable[[], None]) -> None:
        self.taken.append(group)
        assert self.gate.wait(60)
        if self.failure is not None:
            raise self.failure

    def group_of(self, name: str) -> str:
        """Of a dataset."""
        return self.groups.group_of(cast(Dataset, next(one for one in self.datasets if one.name == name)))


def wanted() -> None:
    """It still is."""


def test_it_is_taken_once_for_all() -> None:
    """Whoever comes meanwhile, or afterwards, for the same time has what was taken; the next time is another one."""
    made = Scheduled()
    with ThreadPoolExecutor(2) as pool:
        coming = [pool.submit(made.groups.take, "shop", 7, wanted) for _ in range(2)]
        made.gate.set()
        for one in coming:
            one.result(60)
    made.groups.take("shop", 7, wanted)
    assert ["shop"] == made.taken
    made.groups.take("shop", 8, wanted)
    assert ["shop", "shop"] == made.taken


def test_what_fails_fails_for_all() -> None:
    """Each is told, and takes its own."""
    made = Scheduled(failure=Refused("take", "shop", "disk is held"))
    made.gate.set()
    for _ in range(2):
        with pytest.raises(Refused, match="disk is held"):
            made.groups.take("shop", 7, wanted)
    assert ["shop"] == made.taken


def test_who_waits_for_another_may_be_closed() -> None:
    """It does not wait for what the other one takes."""
    made = Scheduled()

    def closing() -> None:
        raise TryAgain("take", "web", "the dataset is being closed")

    with ThreadPoolExecutor(1) as pool:
        leading = pool.submit(made.groups.take, "shop", 7, wanted)
        eventually(lambda: made.taken)
        with pytest.raises(TryAgain, match="is being closed"):
            made.groups.take("shop", 7, closing)
        made.gate.set()
        leading.result(60)


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [
        ((FakeDataset("web"), FakeDataset("disk")), "shop"),
        ((FakeDataset("web"),), ""),
        ((FakeDataset("web"), FakeDataset("disk", "bank")), ""),
        ((FakeDataset("web", None), FakeDataset("disk", None)), ""),
        ((FakeDataset("web"), FakeDataset("disk", generations=Generations("0 3 * * *"))), ""),
    ],
)
def test_which_are_taken_together(datasets: tuple[FakeDataset, ...], expected: str) -> None:
    """All of one group, where there are several with one and the same schedule."""
    assert expected == Scheduled(datasets).group_of("web")
