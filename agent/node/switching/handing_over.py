"""What the steps of a switchover do on the old primary."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from agent.adopt.filling.fill_mark import OWNER, begin_filling
from agent.config.values import Peer
from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain, Unreachable
from agent.core.forwarded import Forwarded
from agent.core.ids import CommitNumber, Epoch, shown_commit
from agent.fs.writers.processes import Writer
from agent.node.context import Surroundings
from agent.node.kinds.standby_kind import took_for_standby
from agent.node.primary import Primary
from agent.node.reigning.not_captured import require_captured
from agent.node.stepping.stepped import SteppedRun
from agent.node.switching.switched_member import STEP, SwitchedMember, SwitchedNode
from agent.roles.record import ROLE, HandedOver, RoleRecord, following, read_record
from agent.roles.switchover.answers import gates_in, owed_in, said_in, stands_in, steps_in
from agent.roles.switchover.arrival import ArrivalWait
from agent.roles.switchover.own_gates import own_gate
from agent.roles.switchover.steps import (
    Gates,
    StandsAt,
    WantedSwitchover,
    epoch_fact,
    is_equal,
    what_lacks,
)
from agent.rpc.peers.peer_caller import PeerCaller
from agent.status.state import Role
from agent.steps.record import Facts
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.kept import KeptCommit
from agent.store.local import Local
from agent.stream.position import Level

T = TypeVar("T")
_OPERATION = "switch over"
LOOK, TAKE_OVER = "switchover-look", "take-over"
#: Seconds within which the other node is to answer what it can say at once, and what it runs a program for, whose own deadline
#: it knows: meanwhile it says that it is at it.
_ANSWER, _PREPARES = 30.0, 3600.0
#: Seconds within which a dataset that failed is open again; it is tried again and again at least twice as often.
_OPENED = 60.0
#: Seconds for which what keeps anything from being captured has to stand, until it is not waited for any more.
_STANDS = 5.0
#: After so many seconds of a take-over that nobody answers it is left to the next command.
_TAKE_OVER = 60.0


class HandingOver(SwitchedNode):
    """``roles.switchover.steps.SwitchoverWorld`` of a primary."""

    def __init__(self, member: SwitchedMember, around: Surroundings, wanted: WantedSwitchover, run: SteppedRun) -> None:
        super().__init__(member, around, run, _OPERATION, wanted.reason)
        self._wanted = wanted
        self._caller = PeerCaller(around.identities)

    def gates(self) -> Gates:
        """See ``SwitchoverWorld``, as all below."""
        self.begin("gates")
        self._require_reign()
        own = own_gate(self.member.node, self.member.dataset.hooks, self.now_ns())
        return [*gates_in(self._wanted.to, self._look_there("gates")), own]

    def prepare(self) -> str:
        self.begin("prepare")
        return said_in(self._wanted.to, self._look_there("prepare", _PREPARES))

    def drain(self) -> str:
        self.begin("drain")
        self._side().writing.ask_ahead(self.look)
        return f"commit {shown_commit(self._settled())} stands there"

    def writers(self) -> list[Writer]:
        self.begin("writers")
        return self._side().writing.found(self.look)

    def now_ns(self) -> int:
        return self.around.clock.now_ns()

    def settle(self) -> CommitNumber:
        self.begin("barrier")
        return self._settled()

    def compare(self, number: CommitNumber) -> str:
        self.begin("compare")
        to, told = self._wanted.to, self._look_there("compare")
        newest, theirs, owed = self._side().newest(), stands_in(to, told), owed_in(to, told)
        digest = newest.digest.hex() if newest is not None and newest.number == number else ""
        if not is_equal(StandsAt(number, digest, number), theirs):
            there = f"{to} is at commit {shown_commit(theirs.commit)}, of another state"
            raise TryAgain(_OPERATION, self.name, f"{there} than commit {shown_commit(number)} here", "type it again")
        return f"both are {digest[:16]}{what_lacks(self._wanted, owed)}"

    def hand_over(self, number: CommitNumber) -> Epoch:
        self.begin("hand-over")
        record = read_record(self.around.home(self.member.dataset) / ROLE)
        if record is not None and record.role is Role.STANDBY:
            return record.epoch  # it was done before a crash
        # Another may have been promoted since this node was asked, and be known here by now.
        self._require_reign()
        try:
            side = self._side()
            epoch = following(side.reign.epoch.number, self._wanted.to)
            side.stand_back(lambda catalog, local: self._stood_back(catalog, local, number))
            given = HandedOver(epoch.owner, epoch.number, self.around.clock.now_ns())
            self.member.take_role(RoleRecord(Role.STANDBY, epoch, begun=False, handed_over=given))
        except CalledOff:
            raise
        except HikaeError:
            self.member.reopen()  # nothing is captured any more
            raise
        return epoch

    def _stood_back(self, catalog: Catalog, local: Local, number: CommitNumber) -> None:
        """By the pump's thread, which does nothing after it."""
        newest = catalog.newest()
        if newest is None or newest.number != number:
            reason = "something was written after the application was stopped"
            raise TryAgain(_OPERATION, self.name, reason, "find what writes into the tree, and type it again")
        took_for_standby(self.member.dataset, self.around, local, number)
        catalog.keep([KeptCommit(number, OWNER, time=self.around.clock.now_ns())])
        begin_filling(local, number)

    def take_over(self, epoch: Epoch) -> Facts:
        self.begin("take-over")
        end = self.around.clock.monotonic() + _TAKE_OVER
        while True:
            try:
                told = self._ask(TAKE_OVER, {"epoch": epoch_fact(epoch), **self._stood_at()})
                return steps_in(self._wanted.to, told)
            except (TryAgain, Unreachable) as error:
                if isinstance(error, CalledOff):
                    raise
                if self.around.clock.monotonic() >= end:
                    raise self._nobody_serves(error) from error
            self.pause(1.0)

    def _stood_at(self) -> Facts:
        """Where this node stood when it handed over: nothing came since, or who reigns needs no word of it."""
        side = self.member.side
        newest = side.newest() if side is not None else None
        if newest is None:
            raise TryAgain(_OPERATION, self.name, "it is not open now", "hikae status says why")
        return {"commit": newest.number, "digest": newest.digest.hex()}

    def _nobody_serves(self, error: HikaeError) -> HikaeError:
        to, name = self._wanted.to, self.name
        unknown = f"whether that took it is not known: {error.reason}; unless it serves, nobody does"
        reason = f"{name} was handed over to {to}, and {unknown}"
        remedy = (
            f"once {to} is back: hikae switchover {name}; if it does not come back, here: hikae promote {name} --force"
        )
        return TryAgain(_OPERATION, name, reason, remedy)

    # --- what they share

    def _side(self) -> Primary:
        """The open side, waited for. Raises ``TryAgain`` where it stays away."""
        return self.until(self._opened, _OPENED, "the dataset, which is not open here (hikae status says why),")

    def _opened(self) -> Primary | None:
        side = self.member.side
        return side if isinstance(side, Primary) else None

    def _require_reign(self) -> None:
        mark = self._side().reign.mark
        if mark is not None:
            raise Refused(_OPERATION, self.name, mark.sentence, "hikae status says what leads out of it")

    def _settled(self) -> CommitNumber:
        """All that was written until now stands on the other node; the commit."""
        side = self._side()
        number = self._until(side, side.pump.barrier().wait)
        replica = side.replicas.get(self._wanted.to)
        if replica is None:
            raise Refused(_OPERATION, self.name, f"{self._wanted.to} keeps no standby of it", "hikae config show")
        wait = ArrivalWait(self._wanted.to, self.around.clock.monotonic())
        while not replica.positions.wait(Level.APPLIED, number, STEP):
            self.look()
            reason = wait.given_up(self.around.clock.monotonic(), connected=self._is_connected(side))
            if reason:
                raise TryAgain(_OPERATION, self.name, reason, "hikae status says why; type it again when it streams")
        return number

    def _is_connected(self, side: Primary) -> bool:
        link = side.outgoing.links.get(self._wanted.to)
        return link is not None and link.is_connected

    def _until(self, side: Primary, step: Callable[[float], T]) -> T:
        def require_capture() -> None:
            self._require_reign()
            long_ago = self.around.clock.now_ns() - int(_STANDS * 1e9)
            require_captured(_OPERATION, side, self.member.board, long_ago)

        return self.answered(step, require_capture)

    def _look_there(self, stage: str, within: float = _ANSWER) -> object:
        """What the other node answers, in so many seconds."""
        return self._ask(LOOK, {"stage": stage}, self.around.clock.monotonic() + within)

    def _ask(self, operation: str, arguments: Facts, end: float = inf) -> object:
        wanted = self._wanted
        words = {"reason": wanted.reason, "approved_by": wanted.approved_by}
        asked = Forwarded(self.name, operation, {**arguments, **words}, wanted.typist)

        def still(_progress: object) -> None:
            self.look()
            if self.around.clock.monotonic() >= end:
                raise TryAgain(_OPERATION, self.name, f"{self._wanted.to} does not answer", "hikae status there")

        return self._caller.ask(self._peer(), asked, still)

    def _peer(self) -> Peer:
        found = next((one for one in self.around.settings.peers if one.name == self._wanted.to), None)
        if found is None:
            raise Refused(_OPERATION, self.name, f"{self._wanted.to} is no peer of this node", "hikae config show")
        return found
