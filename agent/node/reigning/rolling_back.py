"""What the steps of a rollback do on a primary that is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from agent.core.commit import Commit
from agent.core.errors import CalledOff, Refused, TryAgain
from agent.core.forwarded import Forwarded
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.problem_codes import ROLLING_BACK
from agent.fs.writers.processes import Writer
from agent.generations.afar import NamedMoment, OpenMoment
from agent.node.context import Surroundings
from agent.node.primary import Primary
from agent.node.stepping.hooks_in_steps import HookedMember, HooksInSteps
from agent.node.stepping.step_in_hand import StepInHand
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.roles.assignment import Assignment
from agent.roles.rollback.steps import KIND, RECORD, TABLE, KeptBefore, RollbackWorld, WantedRollback, wanted_in
from agent.roles.rollback.taking_up import is_taken_up, take_up
from agent.rpc.peers.peer_caller import PeerCaller
from agent.status.state import Role
from agent.steps.hooks import HookResult
from agent.store.catalog.catalog import Catalog
from agent.stream.position import Level

T = TypeVar("T")
_OPERATION = "roll back"
_STEP = 0.2
#: Seconds within which the newest commit is to be durable where the moment is read.
_ARRIVAL = 120.0


class RolledMember(HookedMember, Protocol):
    """The dataset that goes back (``node.member.Member``). Any thread."""

    assigned: Assignment

    def primary(self) -> Primary: ...

    def reopen(self) -> None:
        """Close the side that is open and open it anew. Raises ``CalledOff`` when the dataset is to rest."""
        ...


def rollback_kind(member: RolledMember, around: Surroundings) -> StepsKind[RollbackWorld]:
    """A rollback of a primary, for ``node.stepping.stepped``."""
    return StepsKind(
        KIND,
        RECORD,
        "a rollback",
        ROLLING_BACK,
        TABLE,
        lambda arguments, run: _World(member, around, wanted_in(arguments), run),
        lambda: member.role is Role.PRIMARY,
    )


class _World:
    """``roles.rollback.steps.RollbackWorld`` of a primary."""

    def __init__(
        self,
        member: RolledMember,
        around: Surroundings,
        wanted: WantedRollback,
        run: SteppedRun,
    ) -> None:
        self._member = member
        self._around = around
        self._wanted = wanted
        self._step = StepInHand(run, _OPERATION, wanted.dataset, _STEP)
        self._caller = PeerCaller(around.identities)
        self._hooks = HooksInSteps(member, run.ending, f"rollback to {wanted.words}")

    def run_hook(self, name: str) -> HookResult:
        self._step.begin(name)
        if name == "stop":
            self._side().writing.ask_ahead(self._step.look)
        return self._hooks.run(name)

    def writers(self) -> list[Writer]:
        self._step.begin("writers")
        self._require_capture()
        side = self._side()
        return side.writing.found(self._step.look)

    def now_ns(self) -> int:
        return self._around.clock.now_ns()

    def settle(self) -> str:
        self._step.begin("barrier")
        side = self._side()
        self._step.answered(side.pump.barrier().wait, self._require_capture)
        number = self._step.answered(side.pump.reconcile("before a rollback").wait, self._require_capture)
        self._until_durable(side, number)
        return f"all is captured up to commit {shown_commit(number)}"

    def keep_before(self) -> KeptBefore:
        self._step.begin("generation")
        arguments = {"note": f"before a rollback to {self._wanted.words}"}
        asked = Forwarded(self._wanted.dataset, "generations-before", arguments, "a rollback")
        until = self._around.clock.monotonic() + _ARRIVAL
        while True:
            self._step.look()
            try:
                answer: Any = self._around_peer(lambda peer: self._caller.ask(peer, asked, lambda _: self._step.look()))
                return KeptBefore(str(answer["generation"]), CommitNumber(answer.get("commit", NOTHING)))
            except CalledOff:
                raise
            except TryAgain:
                # It took one a moment ago, before a crash here, or is about to be opened.
                if self._around.clock.monotonic() >= until:
                    raise
            self._step.pause()

    def take_up(self) -> CommitNumber:
        self._step.begin("commit")
        side, newest = self._side(), self._newest()
        if is_taken_up(newest, self._wanted.digest):
            return newest.number
        return side.pump.between_commits(lambda catalog: self._taken_up(side, catalog), then_ends=True).number

    def _taken_up(self, side: Primary, catalog: Catalog) -> Commit:
        newest = catalog.newest()
        if newest is not None:
            self._until_durable(side, newest.number)
        # After a kill what stands would else be taken for a stranger's.
        side.settle_facts()
        named = NamedMoment(self._wanted.dataset, self._wanted.generation, self._wanted.at, "hikae rollback")

        def taken(moment: OpenMoment) -> Commit:
            if moment.found.mark.digest != self._wanted.digest:
                reason = "it is another moment than the one that was named at first"
                raise TryAgain(_OPERATION, self._wanted.dataset, reason, "name it again")
            return take_up(catalog, moment, "", self._around.clock.now_ns(), self._step.look)

        def read(peer: Any) -> Commit:
            with self._caller.moment(peer, named, self._step.look) as moment:
                return taken(moment)

        found: Commit = self._around_peer(read)
        return found

    def converge(self, target: CommitNumber) -> str:
        self._step.begin("converge")
        while True:
            self._step.look()
            side = self._opened()
            if side is not None and _is_back(side, target):
                return side.going.result.sentence() if side.going is not None else "it had been done"
            if side is not None and side.pump.ended:
                self._member.reopen()
            self._step.pause()

    def walk(self) -> str:
        self._step.begin("walk")
        side = self._side()
        number = self._step.answered(side.pump.reconcile("after a rollback").wait, self._require_capture)
        return f"all was looked at up to commit {shown_commit(number)}"

    # --- what they share

    def _opened(self) -> Primary | None:
        try:
            return self._member.primary()
        except TryAgain:
            return None

    def _side(self) -> Primary:
        """The open side, waited for."""
        return self._step.found(self._opened)

    def _newest(self) -> Commit:
        newest = self._side().newest()
        if newest is None:
            raise TryAgain(_OPERATION, self._wanted.dataset, "nothing has been captured yet", "wait for the first sync")
        return newest

    def _require_capture(self) -> None:
        """Raises ``Refused`` while a person has to decide before anything is captured."""
        side = self._opened()
        if side is None:
            return
        if side.reign.mark is not None:
            remedy = "hikae status says what leads out of it"
            raise Refused(_OPERATION, self._wanted.dataset, side.reign.mark.sentence, remedy)
        hold = side.facts().hold
        if hold is not None:
            raise Refused(_OPERATION, self._wanted.dataset, hold.sentence, hold.remedy)

    def _until_durable(self, side: Primary, number: CommitNumber) -> None:
        positions = side.replicas[self._wanted.node].positions
        until = self._around.clock.monotonic() + _ARRIVAL
        while not positions.wait(Level.DURABLE, number, _STEP):
            self._step.look()
            if self._around.clock.monotonic() >= until:
                node = self._wanted.node
                reason = f"{node} has not stored what was written until now, and the moment is read there"
                raise TryAgain(
                    _OPERATION, self._wanted.dataset, reason, "hikae status says why; or read it with --from"
                )

    def _around_peer(self, act: Callable[[Any], T]) -> T:
        name = self._wanted.node
        peer = next((one for one in self._around.settings.peers if one.name == name), None)
        if peer is None:
            raise TryAgain(_OPERATION, self._wanted.dataset, f"{name} is no peer of this node any more")
        return act(peer)


def _is_back(side: Primary, target: CommitNumber) -> bool:
    try:
        return side.is_back(target)
    except TryAgain:
        return False  # It is being closed, to be opened anew.
