"""Before anything stands still: which dataset can be part of a moment now, which is waited for, and which never will be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.capture.facts import CapturePhase, PumpFacts
from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain
from agent.core.hold import Hold
from agent.core.ids import CommitNumber
from agent.fs.thaw_guard import FreezingDisks
from agent.node.grouped.moment import GroupMoment, GroupSource, MomentLimits
from agent.node.reigning.quiescer import QuiescedSource, Quiescer

IMPATIENT = MomentLimits(patience=-1.0)
LIVE = PumpFacts(CapturePhase.LIVE, None, False, 0, 0, None, None, None, 0, 0, 0, 0.0, 0, 0, 0)
WALKED = replace(LIVE, phase=CapturePhase.RECONCILE)
GONE = Hold("root-missing", "its root is gone", "mount it")


class Stopped:
    """A barrier of a pump that has stopped."""

    def wait(self, _timeout: float) -> CommitNumber:
        raise CalledOff("barrier", "", "capture stopped", "try again when capture runs")


@dataclass
class FakePump:
    """A pump that commits nothing; ``facts_now`` is what it tells of itself, the last one again and again."""

    facts_now: list[PumpFacts] = field(default_factory=lambda: [LIVE])
    ended: bool = False

    def facts(self) -> PumpFacts:
        """How it goes."""
        return self.facts_now.pop(0) if len(self.facts_now) > 1 else self.facts_now[0]

    def barrier(self) -> Stopped:
        """Never passes."""
        return Stopped()


def reach(pump: FakePump, limits: MomentLimits, *, is_device: bool = False, why_not: str | None = None) -> None:
    """One moment of a group of one."""
    dataset: Any = SimpleNamespace(name="web", path="/srv/web")
    source: Any = SimpleNamespace(dataset=lambda: dataset, pump=pump, why_not=lambda: why_not, always=is_device)
    quiescer: Any = SimpleNamespace(around=lambda captured, _still_wanted: captured(0))
    one = GroupSource(cast(QuiescedSource, source), cast(Quiescer, quiescer))
    GroupMoment("shop", [one], cast(FreezingDisks, None), lambda: None, limits).reach()


@pytest.mark.parametrize(
    ("pump", "why_not", "error", "words"),
    [
        (FakePump([WALKED]), None, TryAgain, r"web: all of it is being looked at \(reconcile\)"),
        (FakePump([replace(LIVE, doubt=True)]), None, TryAgain, "web: all of it is being looked at"),
        (FakePump([replace(LIVE, hold=GONE)]), None, TryAgain, "web: it is held: its root is gone"),
        (FakePump([replace(LIVE, untracked=True)]), None, TryAgain, r"nothing tells what changes on the device"),
        (FakePump(ended=True), None, TryAgain, "its capture has ended"),
        (FakePump(), "it is followed by polling", Refused, "web: it is followed by polling"),
    ],
)
def test_one_that_cannot_is_named(pump: FakePump, why_not: str | None, error: type[HikaeError], words: str) -> None:
    """With a command that shows why, or what else may be done."""
    with pytest.raises(error, match=words) as told:
        reach(pump, IMPATIENT, why_not=why_not)
    assert told.value.remedy


@pytest.mark.parametrize(
    ("pump", "is_device"), [(FakePump([WALKED, WALKED, WALKED, LIVE]), False), (FakePump([WALKED]), True)]
)
def test_a_walk_is_waited_for(pump: FakePump, is_device: bool) -> None:
    """Where there is patience for it; a device is committed while it is read."""
    with pytest.raises(TryAgain, match="web: capture stopped"):
        reach(pump, MomentLimits(), is_device=is_device)


@pytest.mark.parametrize(("count", "expected"), [(1, (64, 20_000, 300)), (4, (64, 20_000, 300)), (16, (16, 5_000, 75))])
def test_many_trees_share_what_four_may_take(count: int, expected: tuple[int, int, int]) -> None:
    """Locked memory, entries and open directories do not grow with a group."""
    image = MomentLimits().of_each(count).image
    assert expected == (image.bytes >> 20, image.objects, image.directories)
