"""A generation of each dataset of a group on the node with their vaults: of one moment, of each or of none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.config.values import Settings
from agent.core.clock import ManualClock
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.asked_barriers import AskedBarrier
from agent.node.grouped.taking import TakesGroup
from agent.node.member import Member
from agent.status.state import Role
from agent.store.catalog.generation import Cause, Generation
from agent.stream.messages import AskBarrier, Together
from fakes.store_fakes import number

WANTED = WantedGeneration(Cause.DEMAND)
#: 2026-11-22 03:15 UTC.
NOW = 1_795_317_300 * 10**9


@dataclass
class FakeSide:
    """A standby and its taker. ``fails``: what is raised by the call of that name."""

    name: str
    kept: list[Generation] = field(default_factory=list)
    fails: dict[str, HikaeError] = field(default_factory=dict)
    asked: list[Together] = field(default_factory=list)
    forgotten: int = 0

    @property
    def taker(self) -> FakeSide:
        """Itself."""
        return self

    @contextmanager
    def reader(self) -> Iterator[FakeSide]:
        """What is kept."""
        yield self

    def generations(self) -> list[Generation]:
        """What is kept."""
        return self.kept

    def require_new_label(self, label: str) -> None:
        self._may_fail("label")

    def ask_together(self, together: Together) -> AskedBarrier:
        self._may_fail("ask")
        self.asked.append(together)
        return AskedBarrier(AskBarrier(1, True, together))

    def arrived_together(self, asked: AskedBarrier, still_wanted: Callable[[], None]) -> SourceAnswer:
        still_wanted()
        self._may_fail("answer")
        return SourceAnswer(number(5))

    def forget(self, asked: AskedBarrier) -> None:
        self.forgotten += 1

    def keep_together(self, wanted: WantedGeneration, answer: SourceAnswer) -> Generation:
        self._may_fail("keep")
        name = wanted.together.rpartition("/")[2]
        self.kept.append(Generation(name, answer.number, wanted.at, 0, wanted.cause, together=wanted.together))
        return self.kept[-1]

    def take_back(self, one: Generation) -> None:
        self._may_fail("take back")
        self.kept.remove(one)

    def _may_fail(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]


@dataclass
class Group:
    """The group ``shop``: ``disk`` and ``web``, both kept here."""

    sides: dict[str, FakeSide] = field(default_factory=lambda: {name: FakeSide(name) for name in ("disk", "web")})
    roles: dict[str, Role] = field(default_factory=dict)
    primaries: dict[str, str] = field(default_factory=dict)

    def take(self, group: str = "shop", wanted: WantedGeneration = WANTED) -> dict[str, Generation]:
        """One of each."""
        members = {name: self._member(name, side) for name, side in self.sides.items()}
        datasets: list[Any] = [SimpleNamespace(name=name, group="shop") for name in self.sides]
        settings = cast(Settings, SimpleNamespace(datasets=datasets))
        return TakesGroup(members, settings, ManualClock(NOW), lambda: None).take(group, wanted)

    def _member(self, name: str, side: FakeSide) -> Member:
        assigned = SimpleNamespace(primary=self.primaries.get(name, "alpha"))
        role = self.roles.get(name, Role.STANDBY)
        return cast(Member, SimpleNamespace(role=role, assigned=assigned, standby=lambda: side))

    def kept(self) -> list[int]:
        """How many of each."""
        return [len(side.kept) for side in self.sides.values()]


def test_all_are_of_one_moment_and_one_name() -> None:
    """Asked for in each call with the same words; the name is one that none of them has."""
    group = Group()
    group.sides["web"].kept.append(Generation("20261122T031500Z", number(2), 1, 0, Cause.DEMAND))
    taken = group.take()
    asked = {one for side in group.sides.values() for one in side.asked}
    assert [("shop", ("disk", "web"))] == [(one.group, one.datasets) for one in asked]
    assert {
        "disk": ("20261122T031500Z-2", "shop/20261122T031500Z-2"),
        "web": ("20261122T031500Z-2", "shop/20261122T031500Z-2"),
    } == {name: (one.name, one.together) for name, one in taken.items()}


@pytest.mark.parametrize("step", ["ask", "answer", "keep"])
def test_one_that_fails_leaves_none(step: str) -> None:
    """It is named, and what was asked of the others is forgotten."""
    group = Group()
    group.sides["web"].fails[step] = TryAgain("take", "alpha", "it is not connected")
    with pytest.raises(TryAgain, match="web: it is not connected") as told:
        group.take()
    assert ("shop", True, [0, 0]) == (told.value.subject, bool(told.value.remedy), group.kept())
    assert [len(side.asked) for side in group.sides.values()] == [side.forgotten for side in group.sides.values()]


def test_what_cannot_be_taken_back_is_told() -> None:
    """With what is left of it."""
    group = Group()
    group.sides["web"].fails["keep"] = TryAgain("take", "web", "the disk is full")
    group.sides["disk"].fails["take back"] = TryAgain("take", "disk", "the disk is full")
    with pytest.raises(TryAgain, match="generation 20261122T031500Z of disk is kept, and has none beside it"):
        group.take()
    assert [1, 0] == group.kept()


def test_a_label_that_one_has_is_refused_first() -> None:
    """Nothing stands still for it."""
    group = Group()
    group.sides["web"].fails["label"] = Refused("take", "web: x", "generation g has that label", "choose another")
    with pytest.raises(Refused, match="web"):
        group.take(wanted=WantedGeneration(Cause.DEMAND, "x"))
    assert [[], []] == [side.asked for side in group.sides.values()]


def test_a_group_that_is_torn_is_refused() -> None:
    """Where one has another role here, or another primary."""
    with pytest.raises(Refused, match="disk is primary here"):
        Group(roles={"disk": Role.PRIMARY}).take()
    with pytest.raises(Refused, match="several primaries"):
        Group(primaries={"disk": "gamma"}).take()


def test_a_group_that_nobody_knows() -> None:
    """Those that are known are named."""
    with pytest.raises(NotFound, match="this node knows: shop"):
        Group().take("bank")
