"""The steps of a switchover over a world that is not there: whatever fails, one of both nodes serves, or it is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.commit import Commit
from agent.core.errors import CalledOff, Refused, TryAgain
from agent.core.ids import EPOCH_LIMIT, NOTHING, CommitNumber, Epoch, commit_number
from agent.fs.writers.processes import Writer
from agent.roles.switchover.steps import (
    FINISH,
    FINISH_RECORD,
    FINISH_TABLE,
    KIND,
    RECORD,
    TABLE,
    Gates,
    StandsAt,
    WantedSwitchover,
    epoch_fact,
    epoch_in,
    is_equal,
    may_be_forced,
    refused_elsewhere,
    refused_for_gates,
    switchover_in,
    what_lacks,
)
from agent.roles.switchover.taking_over import require_followed, require_whole
from agent.status.figures import stamp
from agent.steps.hooks import HookResult
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import StepsRunner
from fakes.ended_steps import EndedSteps

WANTED = WantedSwitchover("web", "beta", reason="a new kernel")
REIGN = Epoch(2, "beta", b"t" * 16)
NAMES = [step.name for step in TABLE]
#: Those of which the world is told; ``start`` has nothing to do where all went well.
TOLD = NAMES[:-1]
BEFORE = NAMES[: NAMES.index("hand-over")]


class World(EndedSteps):
    """Satisfies ``SwitchoverWorld``."""

    def __init__(self, ends_in: str = "", *, after: bool = False) -> None:
        super().__init__("switch over", ends_in, after=after)
        self.writing: list[Writer] = []
        self.missed = False

    def run_hook(self, name: str) -> HookResult:
        """See ``SwitchoverWorld``, as all below."""
        self._do(name.replace("_", "-"))
        return HookResult(name, None, "", 1, 0.1)

    def gates(self) -> Gates:
        self._do("gates")
        return [{"name": "seeding", "ok": not self.missed, "value": "half", "remedy": "wait for it"}]

    def prepare(self) -> str:
        self._do("prepare")
        return "before_promote: done"

    def drain(self) -> str:
        self._do("drain")
        return "commit 1.6 stands there"

    def writers(self) -> list[Writer]:
        self._do("writers")
        return self.writing

    def now_ns(self) -> int:
        return 7 * 10**9

    def settle(self) -> CommitNumber:
        self._do("barrier")
        return CommitNumber(7)

    def compare(self, number: CommitNumber) -> str:
        assert 7 == number
        self._do("compare")
        return "both are the same"

    def hand_over(self, number: CommitNumber) -> Epoch:
        assert 7 == number
        self._do("hand-over")
        return REIGN

    def take_over(self, epoch: Epoch) -> Facts:
        assert epoch == REIGN
        self._do("take-over")
        return {"steps": [{"name": "role", "ms": 3}]}


def _begun(tmp_path: Path, world: World, wanted: WantedSwitchover = WANTED) -> StepsRecord:
    return StepsRunner(tmp_path / RECORD, ManualClock()).begin(KIND, TABLE, world, wanted.as_facts())


def test_all_steps_are_taken_in_their_order(tmp_path: Path) -> None:
    """Nobody writes before both are compared, and the place is handed over last; nothing is started here any more."""
    world = World()
    record = _begun(tmp_path, world)
    assert (TOLD, NAMES) == (world.done, [one.name for one in record.done])
    assert (WANTED, REIGN) == (switchover_in(record.arguments), epoch_in(record.facts["epoch"]))


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("step", TOLD)
def test_cut_short_in_any_step_it_goes_on_there(tmp_path: Path, step: str, after: bool) -> None:
    """A new process goes on with the step that it stood in, and leaves none out."""
    world = World(step, after=after)
    with pytest.raises(CalledOff):
        _begun(tmp_path, world)
    runner = StepsRunner(tmp_path / RECORD, ManualClock())
    left = runner.under_way()
    assert left is not None
    record = runner.go_on(left, TABLE, world)
    assert (NAMES, TOLD) == ([one.name for one in record.done], list(dict.fromkeys(world.done)))


@pytest.mark.parametrize("step", [*BEFORE, "hand-over"])
def test_what_fails_before_the_hand_over_leaves_the_old_primary_serving(tmp_path: Path, step: str) -> None:
    """The start hook runs there once it was stopped, and the other node is asked for nothing."""
    world = World()
    world.failure[step] = TryAgain("switch over", "web", "beta does not answer")
    with pytest.raises(TryAgain):
        _begun(tmp_path, world)
    stopped = ["start"] if NAMES.index(step) >= NAMES.index("stop") else []
    assert [*NAMES[: NAMES.index(step)], *stopped] == world.done


def test_what_fails_after_it_starts_nothing_here(tmp_path: Path) -> None:
    """The other node is to serve: the next command asks it again. This one is demoted either way."""
    world = World()
    world.failure["take-over"] = TryAgain("switch over", "web", "beta does not answer")
    with pytest.raises(TryAgain):
        _begun(tmp_path, world)
    assert [*BEFORE, "hand-over", "after-demote"] == world.done
    again = World()
    asked = {**WANTED.as_facts(), "epoch": epoch_fact(REIGN)}
    StepsRunner(tmp_path / FINISH_RECORD, ManualClock()).begin(FINISH, FINISH_TABLE, again, asked)
    assert ["take-over", "after-demote"] == again.done


def test_a_gate_that_is_not_met_is_told_and_forced(tmp_path: Path) -> None:
    """Nothing is stopped for it."""
    world = World()
    world.missed = True
    with pytest.raises(Refused) as refused:
        _begun(tmp_path, world)
    assert (["gates"], "seeding") == (world.done, refused.value.gates[0]["name"])
    world.done.clear()
    _begun(tmp_path, world, WantedSwitchover("web", "beta", force=True))
    assert TOLD == world.done


def test_who_writes_stops_it(tmp_path: Path) -> None:
    """The application is started again; forced, it is told what may be lost."""
    world = World()
    world.writing = [Writer(7, "vi", "/srv/web/a")]
    with pytest.raises(Refused) as refused:
        _begun(tmp_path, world)
    gate = refused.value.gates[0]
    assert ("vi (process 7) may write /srv/web/a", stamp(world.now_ns())) == (gate["value"], gate["measured"])
    assert "start" == world.done[-1]
    record = _begun(tmp_path, world, WantedSwitchover("web", "beta", force=True))
    assert ["vi (process 7) may write /srv/web/a"] == record.facts["lost"]


FIRST = Epoch(1, "alpha", b"a" * 16)


@pytest.mark.parametrize(
    ("epoch", "lineage"),
    [
        (Epoch(2, "alpha", b"t" * 16), [FIRST]),
        (Epoch(2, "beta", b"t" * 16), [FIRST, Epoch(2, "alpha", b"b" * 16)]),
        (Epoch(2, "beta", b"t" * 15), [FIRST]),
        (Epoch(2, "beta", FIRST.token), [FIRST]),
        (Epoch(EPOCH_LIMIT, "beta", b"t" * 16), [Epoch(EPOCH_LIMIT - 1, "alpha", b"a" * 16)]),
    ],
    ids=["of another node", "no next one", "without an id", "another's id", "beyond all numbers"],
)
def test_a_reign_that_is_no_next_one_is_not_taken_over(epoch: Epoch, lineage: list[Epoch]) -> None:
    """A call that was late moves nothing, and one that lies leaves no record that nobody can read."""
    with pytest.raises(Refused):
        require_followed("beta", "web", epoch, lineage)
    require_followed("beta", "web", REIGN, [FIRST])


@pytest.mark.parametrize("newest", [None, Commit(commit_number(1, 7), NOTHING, b"d" * 32, 0, 0, False, 0, 0)])
def test_what_is_not_whole_is_not_taken_over(newest: Commit | None) -> None:
    """Whoever says that it may be (law 3)."""
    with pytest.raises(Refused, match="not whole"):
        require_whole("web", newest)


@pytest.mark.parametrize(("gate", "forced"), [("seeding", True), ("consistent", False), ("hold", False)])
def test_force_does_not_pass_what_is_not_whole(gate: str, forced: bool) -> None:
    """As in a promotion; and then it is not offered."""
    missed = [{"name": gate, "ok": False, "value": "v", "remedy": "wait"}]
    said = refused_for_gates("web", missed).remedy
    assert (forced, forced) == (may_be_forced(missed), "--force" in said)


@pytest.mark.parametrize(
    "here",
    [StandsAt(6, "aa", 6), StandsAt(7, "bb", 7), StandsAt(7, "aa", 6)],
    ids=["older", "of another state", "unapplied"],
)
def test_a_place_goes_to_the_very_state_alone(here: StandsAt) -> None:
    """A node that was put back to an older copy since is refused, with what has everything and what to type there."""
    handed = StandsAt(7, "aa", 7)
    assert (True, False) == (is_equal(handed, handed), is_equal(handed, here))
    refused = refused_elsewhere("web", "alpha", handed, here)
    assert "there: hikae promote web --force" in refused.remedy


def test_equal_digests_do_not_hide_content_that_lacks() -> None:
    """What could not be read is outside the digest: nothing is handed over without it, unless that is forced."""
    wanted = WantedSwitchover("web", "beta")
    assert "" == what_lacks(wanted, 0)
    with pytest.raises(Refused, match="beta lacks some content of 2 files"):
        what_lacks(wanted, 2)
    assert ", and beta lacks some content of 2 files; it was forced" == what_lacks(replace(wanted, force=True), 2)
