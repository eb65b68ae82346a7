"""The steps of a rollback over a world that is not there: cut short at each of them, they end the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import CalledOff, Refused, TryAgain
from agent.core.ids import CommitNumber
from agent.fs.writers.processes import Writer
from agent.roles.rollback.steps import KIND, RECORD, TABLE, KeptBefore, WantedRollback, kept_commit, wanted_in
from agent.steps.hooks import HookResult
from agent.steps.record import StepsRecord
from agent.steps.runner import StepsRunner
from fakes.ended_steps import EndedSteps

WANTED = WantedRollback("web", "beta", "20261122T031500Z", "", b"d" * 32, "generation 20261122T031500Z")
NAMES = [step.name for step in TABLE]


class World(EndedSteps):
    """Satisfies ``RollbackWorld``."""

    def __init__(self, ends_in: str = "", *, after: bool = False) -> None:
        super().__init__("roll back", ends_in, after=after)
        self.writing: list[Writer] = []

    def run_hook(self, name: str) -> HookResult:
        """See ``RollbackWorld``, as all below."""
        self._do(name)
        return HookResult(name, None, "", 1, 0.1)

    def writers(self) -> list[Writer]:
        self._do("writers")
        return self.writing

    def now_ns(self) -> int:
        return 7 * 10**9

    def settle(self) -> str:
        self._do("barrier")
        return "all is captured"

    def keep_before(self) -> KeptBefore:
        self._do("generation")
        return KeptBefore("20261122T041500Z", CommitNumber(76))

    def take_up(self) -> CommitNumber:
        self._do("commit")
        return CommitNumber(77)

    def converge(self, target: CommitNumber) -> str:
        assert 77 == target
        self._do("converge")
        return "9 entries"

    def walk(self) -> str:
        self._do("walk")
        return "all was looked at"


def _begun(tmp_path: Path, world: World) -> StepsRecord:
    return StepsRunner(tmp_path / RECORD, ManualClock()).begin(KIND, TABLE, world, WANTED.as_facts())


def test_all_steps_are_taken_in_their_order(tmp_path: Path) -> None:
    """The commit before the tree, the application before and after; and what was learned is there at the end."""
    world = World()
    record = _begun(tmp_path, world)
    assert (NAMES, NAMES) == (world.done, [one.name for one in record.done])
    assert ("20261122T041500Z", 76, 77, WANTED) == (
        record.facts["generation_before"],
        kept_commit(record.facts),
        record.facts["commit"],
        wanted_in(record.arguments),
    )


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("step", NAMES)
def test_cut_short_in_any_step_it_goes_on_there(tmp_path: Path, step: str, after: bool) -> None:
    """A new process goes on with the step that it stood in, and leaves none out."""
    world = World(step, after=after)
    with pytest.raises(CalledOff):
        _begun(tmp_path, world)
    runner = StepsRunner(tmp_path / RECORD, ManualClock())
    left = runner.under_way()
    assert left is not None
    record = runner.go_on(left, TABLE, world)
    assert (NAMES, None) == ([one.name for one in record.done], runner.under_way())
    assert NAMES == list(dict.fromkeys(world.done))


def test_who_writes_stops_it_before_anything_changes(tmp_path: Path) -> None:
    """The application is started again, and nothing else was done."""
    world = World()
    world.writing = [Writer(7, "vi", "/srv/web/a"), Writer(1, "init", "")]
    with pytest.raises(Refused) as refused:
        _begun(tmp_path, world)
    assert ["stop", "writers", "start"] == world.done
    values = [gate["value"] for gate in refused.value.gates]
    assert ["vi (process 7) may write /srv/web/a", "init (process 1) cannot be looked into"] == values


def test_forced_it_goes_on_and_says_who_wrote(tmp_path: Path) -> None:
    """What may be lost is in the answer."""
    world = World()
    world.writing = [Writer(7, "vi", "/srv/web/a")]
    wanted = {**WANTED.as_facts(), "force": True}
    record = StepsRunner(tmp_path / RECORD, ManualClock()).begin(KIND, TABLE, world, wanted)
    assert (NAMES, ["vi (process 7) may write /srv/web/a"]) == (world.done, record.facts["lost"])


@pytest.mark.parametrize("step", ["barrier", "generation", "commit"])
def test_what_fails_before_the_commit_changes_nothing(tmp_path: Path, step: str) -> None:
    """Neither commit nor tree; the application runs again."""
    world = World()
    world.failure[step] = TryAgain("roll back", "web", "beta does not answer")
    with pytest.raises(TryAgain):
        _begun(tmp_path, world)
    assert [*NAMES[: NAMES.index(step)], "start"] == world.done
