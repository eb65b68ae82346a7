"""What the steps of a rehearsal do on the node that keeps the standby."""

from __future__ import annotations

from agent.apply.results import ApplyPhase
from agent.core.errors import CalledOff, Refused, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.core.standing import Rehearsed
from agent.node.context import Surroundings
from agent.node.rehearsing.on_stage import Probe, Stage, hidden_places
from agent.node.rehearsing.probe_units import unit_programs, unit_text
from agent.node.rehearsing.rehearsal_kind import RehearsingMember
from agent.node.standby import Standby
from agent.node.stepping.stepped import SteppedRun
from agent.roles.rehearsal.steps import OPERATION
from agent.status.state import Role
from agent.steps.hooks import HookPlace, hook_environment

_STEP = 0.1


class RehearsalOnStage:
    """``roles.rehearsal.steps.RehearsalWorld`` of one member: what only who rehearses has in memory."""

    def __init__(self, member: RehearsingMember, around: Surroundings, run: SteppedRun) -> None:
        self._member = member
        self._around = around
        self._run = run
        self._began = around.clock.monotonic()
        self._stage = Stage(around.home(member.dataset), hidden_places(around.settings))

    def hold(self) -> CommitNumber:
        self._doing("hold")
        side = self._standby()
        if side.loop.verify_progress() is not None:
            raise TryAgain(
                OPERATION, self._member.dataset.name, "a verify is under way", "type it again when it has ended"
            )
        side.rehearse(begin=True)
        while not side.loop.wait_for(lambda facts: facts.phase is ApplyPhase.PAUSED, _STEP):
            self._look()
            side = self._standby()
        facts = side.loop.facts()
        if facts.applied == NOTHING or facts.stands != facts.applied:
            reason = "the standby stands between two commits: large files are being written"
            raise Refused(
                OPERATION, self._member.dataset.name, reason, "type it again once hikae status says streaming"
            )
        return facts.applied

    def probe(self, commit: CommitNumber) -> Rehearsed:
        self._doing("probe")
        dataset, clock = self._member.dataset, self._around.clock
        hook = dataset.hooks.probe
        if hook is None or not hook.does:
            raise no_probe(dataset.name)
        units = unit_programs(hook.units, unit_text)
        place = HookPlace(dataset.name, self._member.node, Role.STANDBY.value, self._standby().epoch, "rehearse")
        timeout = min(hook.timeout or dataset.rehearse.timeout, dataset.rehearse.timeout)
        environment = {**hook_environment(place), "HIKAE_PATH": dataset.path}
        probe = Probe(dataset.name, dataset.path, dataset.is_device, hook.run, environment, timeout, units)
        try:
            found = self._stage.run(probe, self._is_over)
        except CalledOff:
            self._look()
            raise
        ms = round((clock.monotonic() - self._began) * 1000)
        ok, reason = found.failure is None, found.failure or ""
        return Rehearsed(clock.now_ns(), ok, commit, ms, found.exit, found.said, reason)

    def clear_away(self) -> str:
        self._stage.clear()
        return "nothing of the view is left"

    def keep(self, found: Rehearsed) -> None:
        self._member.rehearsals.keep(found)

    def release(self) -> None:
        try:
            self._member.standby().rehearse(begin=False)
        except TryAgain:
            # It is not open; when it opens, the record is gone.
            return

    def _is_over(self) -> bool:
        return self._run.ending.is_set() or self._run.gives_way.is_set()

    def _doing(self, step: str) -> None:
        self._run.doing = step
        self._look()

    def _look(self) -> None:
        name = self._member.dataset.name
        if self._run.ending.is_set():
            raise CalledOff(OPERATION, name, "the agent stops", "type it again when it is back")
        if self._run.gives_way.is_set():
            raise TryAgain(OPERATION, name, "something that goes first was typed", "type it again afterwards")

    def _standby(self) -> Standby:
        """The open standby, waited for: after a crash it is opened first."""
        while True:
            self._look()
            if self._member.role is not Role.STANDBY:
                raise Refused(
                    OPERATION, self._member.dataset.name, "this node keeps no standby of it", "see hikae status"
                )
            try:
                return self._member.standby()
            except TryAgain:
                self._run.ending.wait(_STEP)


def no_probe(dataset: str) -> Refused:
    """Nothing says how to try it."""
    remedy = 'write probe = ["PROGRAM", "ARGUMENT"] below [dataset.hooks]; then: hikae reload'
    return Refused(OPERATION, dataset, "no probe is configured", remedy)
