"""The steps of a promotion over a world that is not there: cut short at each of them, they end the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import CalledOff, Refused, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.roles.promotion.steps import KIND, RECORD, TABLE, WantedPromotion, refused_by, wanted_promotion
from agent.status.promotion import Gate
from agent.steps.hooks import HookResult
from agent.steps.record import StepsRecord
from agent.steps.runner import StepsRunner
from fakes.ended_steps import EndedSteps

NAMES = [step.name for step in TABLE]
WANTED = WantedPromotion("web", "alpha burns", "eve", "root", lost=("a",))
MOMENT = CommitNumber(77)
MET = Gate("lag", True, "20 ms", "30 s", 7, "")
LATE = Gate("lag", False, "40 s", "30 s", 7, "wait")
PRIMARY = Gate("primary", False, "alpha answers", "alpha does not answer", 7, "hikae switchover web")
HALF = Gate("consistent", False, "half", "whole", 7, "wait", or_moment=True)
GONE = Gate("hold", False, "its directory is gone", "none", 7, "put it back")


class World(EndedSteps):
    """Satisfies ``PromotionWorld``."""

    BEFORE = CommitNumber(70)

    def __init__(self, ends_in: str = "", *, after: bool = False) -> None:
        super().__init__("promote", ends_in, after=after)
        #: Each look at the gates takes the next; the last stays.
        self.seen: list[tuple[Gate, ...]] = [(MET,)]
        self._number: int | None = None
        self.stood = self.BEFORE

    def gates(self) -> tuple[Gate, ...]:
        """See ``PromotionWorld``, as all below."""
        self._do("gates")
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def gates_at_last(self) -> tuple[Gate, ...]:
        self._do("asked once more")
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def keep_before(self) -> str:
        self._do("generation")
        return "20261122T041500Z"

    def newest(self) -> CommitNumber:
        return self.stood

    def has_role(self) -> int | None:
        return self._number

    def take_role(self) -> int:
        if self._ends_in == "role" and self._after:
            self._number = 4
        self._do("role")
        self._number = 4
        return 4

    def stand_at(self, moment: CommitNumber) -> str:
        assert moment == MOMENT
        self._do("moment")
        return "the moment"

    def serve(self) -> str:
        self._do("serve")
        return "commit 4.1 stands"

    def run_hook(self, name: str) -> HookResult:
        self._do(name)
        return HookResult(name, None, "", 1, 0.1)


def begun(home: Path, world: World, wanted: WantedPromotion = WANTED) -> StepsRecord:
    """Run from the beginning."""
    return StepsRunner(home / RECORD, ManualClock()).begin(KIND, TABLE, world, wanted.as_facts())


def gone_on(home: Path, world: World) -> StepsRecord:
    """What the next start does."""
    runner = StepsRunner(home / RECORD, ManualClock())
    record = runner.under_way()
    assert record is not None
    assert wanted_promotion(record.arguments).dataset == "web"
    return runner.go_on(record, TABLE, world)


def test_all_steps_are_taken_in_their_order(tmp_path: Path) -> None:
    """The record before anything serves; the gates are looked at again right before it; what was learned is there at the end."""
    world = World()
    record = begun(tmp_path, world)
    assert NAMES == [one.name for one in record.done]
    assert [
        "gates",
        "generation",
        "before_promote",
        "asked once more",
        "role",
        "serve",
        "start",
        "after_promote",
    ] == world.done
    assert (4, ["a"], "20261122T041500Z") == tuple(record.facts[key] for key in ("epoch", "lost", "generation_before"))


@pytest.mark.parametrize("moment", [NOTHING, MOMENT])
@pytest.mark.parametrize("cut", [False, True])
def test_it_says_from_which_commit_it_began(tmp_path: Path, moment: CommitNumber, cut: bool) -> None:
    """The newest one before the new epoch, or the moment that was named; also where the agent ended once it had the role."""
    wanted, world = replace(WANTED, moment=moment), World("role" if cut else "", after=cut)
    if cut:
        with pytest.raises(CalledOff):
            begun(tmp_path, world, wanted)
        world.stood = CommitNumber(4 << 40 | 1)
    record = gone_on(tmp_path, world) if cut else begun(tmp_path, world, wanted)
    assert (moment or World.BEFORE) == record.facts["commit"]


def test_a_request_comes_back_from_its_record() -> None:
    """With the moment that was named."""
    wanted = WantedPromotion("web", "why", "eve", "root", True, ("a", "b"), MOMENT, "generation x", (3, 7))
    assert wanted == wanted_promotion(wanted.as_facts())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [name for name in NAMES if name != "moment"])
def test_cut_short_it_goes_on(tmp_path: Path, step: str, after: bool) -> None:
    """Before or after any step: the role is taken once, and it ends as one that was not."""
    world = World(step, after=after)
    with pytest.raises(CalledOff):
        begun(tmp_path, world)
    record = gone_on(tmp_path, world)
    assert (NAMES, 4) == ([one.name for one in record.done], record.facts["epoch"])
    assert (1, False) == (world.done.count("role"), (tmp_path / RECORD).exists())


@pytest.mark.parametrize("cut", [False, True])
def test_a_primary_that_comes_back_ends_it(tmp_path: Path, cut: bool) -> None:
    """Up to the record; whether the agent went on or was started again in between."""
    world = World("generation" if cut else "")
    world.seen = [(MET,), (PRIMARY,)]
    if cut:
        with pytest.raises(CalledOff):
            begun(tmp_path, world)
    with pytest.raises(Refused) as caught:
        gone_on(tmp_path, world) if cut else begun(tmp_path, world)
    assert ("primary: alpha answers", False, None) == (caught.value.reason, "role" in world.done, world.has_role())
    assert not (tmp_path / RECORD).exists()


def test_once_the_record_is_written_no_gate_is_in_the_way(tmp_path: Path) -> None:
    """Who has the role goes on to serve: nobody else may take that epoch."""
    world = World("role", after=True)
    world.seen = [(MET,), (MET,), (PRIMARY,)]
    with pytest.raises(CalledOff):
        begun(tmp_path, world)
    assert 4 == gone_on(tmp_path, world).facts["epoch"]


@pytest.mark.parametrize("step", ["generation", "before_promote", "role"])
def test_what_fails_before_the_record_changes_nothing(tmp_path: Path, step: str) -> None:
    """A disk that is full, a hook that fails: the standby is what it was."""
    world = World()
    world.failure[step] = TryAgain("write", "web", "No space left on device")
    with pytest.raises(TryAgain):
        begun(tmp_path, world)
    assert (None, False) == (world.has_role(), {"serve", "start"} & set(world.done) != set())


def test_a_moment_that_is_named_comes_before_the_record(tmp_path: Path) -> None:
    """And that the newest commit is half, or held, is no obstacle then."""
    world = World()
    world.seen = [(HALF,)]
    record = begun(tmp_path, world, WantedPromotion("web", moment=MOMENT, words="generation x"))
    assert (4, True) == (record.facts["epoch"], world.done.index("moment") < world.done.index("role"))


@pytest.mark.parametrize(
    ("gates", "force", "named", "refused"),
    [
        ((MET,), False, False, ""),
        ((LATE,), False, False, "lag"),
        ((LATE,), True, False, ""),
        ((MET, HALF), True, False, "consistent"),
        ((HALF,), False, True, ""),
        ((HALF, LATE), False, True, "lag"),
        ((HALF, LATE), True, True, ""),
        ((GONE, HALF), True, True, "hold"),
    ],
)
def test_what_force_and_a_named_moment_pass(gates: tuple[Gate, ...], force: bool, named: bool, refused: str) -> None:
    """Force passes all but that nothing whole is there; a moment passes only that."""
    found = refused_by("web", gates, force=force, named=named)
    assert refused == ("" if found is None else found.reason.split(":")[0])
    if found is not None:
        assert (len(gates), force or refused == "consistent") == (len(found.gates), "--force" not in found.remedy)
