"""What the steps of a rejoin act on: the node itself, open as a fenced primary, or as a standby that is ahead."""

from __future__ import annotations

from dataclasses import replace

from agent.adopt.filling.fill_mark import begin_filling
from agent.core.clock import boot_id
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, CommitNumber, epoch_of, shown_commit
from agent.fs.writers.processes import Writer
from agent.node.context import Surroundings
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.kinds.standby_kind import took_for_standby
from agent.node.primary import Primary
from agent.node.reigning.not_captured import require_captured
from agent.node.rejoining.rejoin_kind import RejoinedMember
from agent.node.standby import Standby
from agent.node.stepping.hooks_in_steps import HooksInSteps
from agent.node.stepping.step_in_hand import StepInHand
from agent.node.stepping.stepped import SteppedRun
from agent.roles.record import RoleRecord
from agent.roles.rejoin.divergence import KeptAt, keep_divergence
from agent.roles.rejoin.obstacle import STANDS, FollowWait, hindrance
from agent.roles.rejoin.steps import KIND, KeptDivergence, WantedRejoin
from agent.status.state import Role
from agent.steps.hooks import HookResult
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

_STEP = 0.2


class RejoiningNode:
    """``roles.rejoin.steps.RejoinWorld`` of a node."""

    def __init__(
        self,
        member: RejoinedMember,
        around: Surroundings,
        wanted: WantedRejoin,
        run: SteppedRun,
    ) -> None:
        self._member = member
        self._around = around
        self._wanted = wanted
        self._run = run
        self._step = StepInHand(run, KIND, wanted.dataset, _STEP)
        self._hooks = HooksInSteps(member, run.ending, wanted.reason or KIND)

    def run_hook(self, name: str) -> HookResult:
        self._step.begin(name)
        return self._hooks.run(name)

    def writers(self) -> list[Writer]:
        self._step.begin("writers")
        side = self._side()
        if not isinstance(side, Primary):
            return []
        while not self._member.serving.has_stopped(side.reign.mark):
            self._step.pause()
        return side.writing.found(self._step.look)

    def now_ns(self) -> int:
        return self._around.clock.now_ns()

    def walk(self) -> str:
        self._step.begin("walk")
        side = self._side()
        if not isinstance(side, Primary):
            return "nothing but what was received can stand here"
        self._step.answered(side.pump.barrier().wait, self._require_capture)
        number = self._step.answered(side.pump.reconcile("before a rejoin").wait, self._require_capture)
        return f"all was looked at up to commit {shown_commit(number)}"

    def keep(self) -> KeptDivergence:
        self._step.begin("divergence")
        side = self._side()
        if isinstance(side, Standby):
            return side.errands.run(KIND, lambda catalog: self._kept(catalog, fills=False))
        try:
            return side.stand_back(self._stood_back)
        except HikaeError:
            self._member.reopen()  # nothing is captured any more
            raise

    def _stood_back(self, catalog: Catalog, local: Local) -> KeptDivergence:
        """By the pump's thread, which does nothing after it."""
        kept = self._kept(catalog, fills=True)
        took_for_standby(self._member.dataset, self._around, local, kept.commit)
        begin_filling(local, kept.commit)
        return replace(kept, demoted=True)

    def _kept(self, catalog: Catalog, *, fills: bool) -> KeptDivergence:
        clock = self._around.clock
        keeper = GenerationKeeper(RetentionTicks(clock, boot_id()), lambda: self._member.dataset)
        at = KeptAt(clock.now_ns(), keeper.move_clock(catalog), self._member.node)
        return keep_divergence(catalog, self._wanted, at, fills=fills)

    def become_standby(self) -> str:
        self._step.begin("role")
        self._member.take_role(RoleRecord(Role.STANDBY, self._wanted.epoch))
        return f"a standby of {self._wanted.epoch.owner}, in epoch {self._wanted.epoch.number}"

    def follow(self) -> str:
        self._step.begin("follow")
        clock = self._around.clock
        wait = FollowWait(self._wanted.epoch.owner, clock.monotonic())
        while not wait.is_over(clock.monotonic()):
            self._step.look()
            side = self._member.side
            if isinstance(side, Standby) and (number := self._brought_on(side)) != NOTHING:
                return f"consistent again, at commit {shown_commit(number)} of {side.assigned.primary}"
            if wait.is_due(clock.monotonic()):
                wait.look(hindrance(self._member.facts()), clock.monotonic())
                self._run.waits_for = wait.sentence
            self._step.pause()
        return wait.outcome

    def _brought_on(self, side: Standby) -> CommitNumber:
        """The consistent commit of the new primary that the standby equals; ``NOTHING`` while it is none, or lacks some of its
        content: what stood before this node changed it is asked for behind the commit."""
        newest = side.newest()
        if newest is None or side.owing or not newest.consistent or epoch_of(newest.number) < self._wanted.epoch.number:
            return NOTHING
        return newest.number if side.loop.facts().applied == newest.number else NOTHING

    # --- what they share

    def _side(self) -> Primary | Standby:
        """The open side, waited for."""
        while (side := self._member.side) is None:
            self._step.pause()
        return side

    def _require_capture(self) -> None:
        """Raises ``Refused`` while a person has to do something before anything is captured."""
        side = self._member.side
        if isinstance(side, Primary):
            long_ago = self._around.clock.now_ns() - int(STANDS * 1e9)
            require_captured(KIND, side, self._member.board, long_ago)
