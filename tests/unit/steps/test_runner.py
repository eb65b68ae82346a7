"""Recorded steps: each once, after a crash on from where they stood, after a failure only what is always run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import CalledOff, Damaged, HikaeError, StoreFailed, TryAgain
from agent.steps.record import StepDone, StepsRecord, read_steps, write_steps
from agent.steps.runner import Step, StepOutcome, StepsRunner, next_step


class Crash(BaseException):
    """The process is gone."""


@dataclass
class World:
    """What steps did; ``breaks``: what a step raises, before or after it acted."""

    did: list[str] = field(default_factory=list)
    breaks: dict[str, BaseException] = field(default_factory=dict)

    def act(self, name: str) -> StepOutcome:
        """Do one."""
        if (error := self.breaks.pop(f"before {name}", None)) is not None:
            raise error
        self.did.append(name)
        if (error := self.breaks.pop(f"after {name}", None)) is not None:
            raise error
        return StepOutcome(f"{name} done", {name: len(self.did)})


def step(name: str, *, always: bool = False) -> Step[World]:
    """One that notes that it was run."""
    return Step(name, lambda world, _: world.act(name), always)


TABLE = (step("stop"), step("take"), step("start", always=True))


def runner(folder: Path) -> StepsRunner:
    """Over a record in the folder."""
    return StepsRunner(folder / "steps.json", ManualClock())


def test_each_step_once_and_the_record_goes(tmp_path: Path) -> None:
    """Steps run in their order, what they learned is together at the end, and nothing is under way afterwards."""
    world, steps = World(), runner(tmp_path)
    record = steps.begin("offline", TABLE, world, {"label": "x"})
    assert (["stop", "take", "start"], {"stop": 1, "take": 2, "start": 3}) == (world.did, record.facts)
    assert [{"name": "stop", "ms": 0, "result": "stop done"}] == [record.done[0].as_json()]
    assert None is steps.under_way()


@pytest.mark.parametrize("place", [f"{when} {one.name}" for one in TABLE for when in ("before", "after")])
def test_after_a_crash_it_goes_on(tmp_path: Path, place: str) -> None:
    """A crash anywhere leaves a record, with which everything is done in order, what stood in doubt perhaps twice."""
    world = World(breaks={place: Crash()})
    with pytest.raises(Crash):
        runner(tmp_path).begin("offline", TABLE, world, {"label": "x"})
    steps = runner(tmp_path)
    record = steps.under_way()
    assert record is not None
    assert (place.split()[1], {"label": "x"}) == (record.doing, record.arguments)
    steps.go_on(record, TABLE, world)
    assert ["stop", "take", "start"] == list(dict.fromkeys(world.did))
    assert (len(TABLE) + place.startswith("after"), None) == (len(world.did), steps.under_way())


def test_after_a_failure_only_what_is_always_run(tmp_path: Path) -> None:
    """A step that fails ends the list but for what is always run; its error is what the caller gets."""
    error = HikaeError("take", "web", "the link is down")
    world, steps = World(breaks={"before take": error}), runner(tmp_path)
    with pytest.raises(HikaeError, match="the link is down") as caught:
        steps.begin("offline", TABLE, world, {})
    assert (error, ["stop", "start"], None) == (caught.value, world.did, steps.under_way())


def test_a_failure_is_remembered_over_a_crash(tmp_path: Path) -> None:
    """A crash after a failure goes on with what is always run, and the failure is told then."""
    world = World(breaks={"before take": HikaeError("take", "web", "the link is down"), "before start": Crash()})
    with pytest.raises(Crash):
        runner(tmp_path).begin("offline", TABLE, world, {})
    steps = runner(tmp_path)
    record = steps.under_way()
    assert record is not None
    with pytest.raises(HikaeError, match="the link is down"):
        steps.go_on(record, TABLE, world)
    assert ["stop", "start"] == world.did


def test_the_agent_stops(tmp_path: Path) -> None:
    """A step that is called off leaves the record as it stands."""
    world = World(breaks={"before take": CalledOff("take", "web", "the agent stops")})
    with pytest.raises(CalledOff):
        runner(tmp_path).begin("offline", TABLE, world, {})
    record = runner(tmp_path).under_way()
    assert record is not None
    assert "take" == record.doing


def test_one_list_at_a_time(tmp_path: Path) -> None:
    """While a list is under way no other begins."""
    write_steps(tmp_path / "steps.json", StepsRecord("rollback", 0, {}))
    with pytest.raises(TryAgain, match="rollback is under way"):
        runner(tmp_path).begin("offline", TABLE, World(), {})


def test_steps_of_another_release(tmp_path: Path) -> None:
    """A record of steps that are not known is not gone on with."""
    record = StepsRecord("offline", 0, {}, done=(StepDone("sing", 1, "la"),))
    with pytest.raises(Damaged, match="steps unknown here"):
        runner(tmp_path).go_on(record, TABLE, World())


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"version": 2}', '{"version": 1, "kind": 3, "done": [], "doing": null}', "\udcff"]
)
def test_a_torn_record(tmp_path: Path, text: str) -> None:
    """What nobody wrote is damage with a way out, not a bug."""
    path = tmp_path / "steps.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Damaged, match=f"rm {path}"):
        read_steps(path)


def test_next_step_is_pure() -> None:
    """The table of what comes next."""
    done = StepsRecord("offline", 0, {}, done=(StepDone("stop", 1, ""),))
    failed = StepsRecord("offline", 0, {}, done=(StepDone("stop", 1, "", failed=True),))
    over = StepsRecord("offline", 0, {}, done=tuple(StepDone(one.name, 1, "") for one in TABLE))
    found = [next_step(TABLE, record) for record in (StepsRecord("offline", 0, {}), done, failed, over)]
    assert ["stop", "take", "start", None] == [one and one.name for one in found]


def _unwritable(folder: Path) -> StepOutcome:
    """From now on the record cannot be written there."""
    (folder / "steps.json.new").mkdir()
    return StepOutcome()


@pytest.mark.parametrize("full", ["take", "stop"])
def test_a_record_that_cannot_be_written_ends_the_list(tmp_path: Path, full: str) -> None:
    """What was stopped is begun again at once, nothing else is done, and no crash goes on with what was ended."""
    world, steps = World(), runner(tmp_path)

    def act(name: str) -> StepOutcome:
        world.act(name)
        return _unwritable(tmp_path) if name == full else StepOutcome()

    def made(name: str) -> Step[World]:
        return Step(name, lambda _, __: act(name), name == "start", name == "move")

    table = tuple(map(made, ("stop", "take", "move", "start")))
    with pytest.raises(StoreFailed):
        steps.begin("offline", table, world, {})
    assert [*{"take": ["stop", "take"], "stop": ["stop"]}[full], "start"] == world.did
    assert None is steps.under_way()


def test_what_is_final_waits_for_room(tmp_path: Path) -> None:
    """It was begun, so that the list only goes forward: what stands in the record is gone on with."""
    world, steps = World(), runner(tmp_path)

    def move() -> StepOutcome:
        world.act("move")
        return _unwritable(tmp_path)

    table: tuple[Step[World], ...] = (Step("move", lambda _, __: move(), final=True), step("start", always=True))
    with pytest.raises(IsADirectoryError):
        steps.begin("offline", table, world, {})
    assert ["move"] == world.did
    (tmp_path / "steps.json.new").rmdir()
    left = steps.under_way()
    assert left is not None
    assert "move" == left.doing
