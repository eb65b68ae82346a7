"""What the steps of a promotion act on: the member of this node."""

from __future__ import annotations

import threading
from functools import partial
from typing import Protocol

from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.problem_codes import PROMOTION_FAILED
from agent.generations.taking import WantedGeneration
from agent.node import succession
from agent.node.context import Surroundings
from agent.node.pauses import APPLY, Pauses
from agent.node.primary import Primary
from agent.node.promoting.asking import ANSWERS_WITHIN, SOON, Heard, KeptAnswers, ask_around, judged
from agent.node.standby import Standby
from agent.node.stepping.hooks_in_steps import HookedMember, HooksInSteps
from agent.node.stepping.step_in_hand import ChangesRole, StepInHand
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.roles.assignment import Assignment
from agent.roles.promotion.steps import (
    KIND,
    OPERATION,
    RECORD,
    TABLE,
    PromotionWorld,
    WantedPromotion,
    wanted_promotion,
)
from agent.roles.record import ROLE, RoleRecord, following, read_record
from agent.status.promotion import Gate, PromotionFacts
from agent.status.state import Role
from agent.steps.hooks import HookResult
from agent.store.catalog.generation import Cause

_STEP = 0.02
#: Seconds for which an answer of the others stands: the command and its first step ask, and a node that is off answers neither of
#: them before its time is over. Whether the primary is connected is looked at each time; before the epoch is raised all are asked
#: once more.
FRESH = 4.0


class PromotedMember(HookedMember, ChangesRole, Protocol):
    """The dataset that is promoted (``node.member.Member``). Any thread."""

    assigned: Assignment
    pauses: Pauses
    answers: KeptAnswers

    def standby(self) -> Standby:
        """The open standby. Raises ``TryAgain``, ``NotFound``."""
        ...

    def promotion(self, heard: Heard, *, prepared: bool = False) -> PromotionFacts | None:
        """What a promotion now would be, with what others answered; None where this node keeps no standby that is open.
        ``prepared``: before_promote has run."""
        ...

    def steer(self) -> None:
        """Pauses have changed."""
        ...


class World:
    """``roles.promotion.steps.PromotionWorld`` of one member."""

    def __init__(
        self,
        member: PromotedMember,
        around: Surroundings,
        wanted: WantedPromotion,
        run: SteppedRun,
    ) -> None:
        self._member = member
        self._around = around
        self._wanted = wanted
        self._step = StepInHand(run, OPERATION, wanted.dataset, _STEP)
        self._hooks = HooksInSteps(member, run.ending, wanted.reason)

    def gates(self) -> tuple[Gate, ...]:
        self._step.begin("gates")
        return asked_anew(self._member, self._around, self._standby(), self._step.stopping).gates

    def gates_at_last(self) -> tuple[Gate, ...]:
        self._step.begin("role")
        return asked_anew(self._member, self._around, self._standby(), self._step.stopping, at_last=True).gates

    def keep_before(self) -> str:
        self._step.begin("generation")
        by = f" by {self._wanted.typist}" if self._wanted.typist else ""
        wanted = WantedGeneration(Cause.BEFORE, note=f"before a promotion{by}")
        return self._standby().taker.keep_newest(wanted).name

    def newest(self) -> CommitNumber:
        newest = self._standby().newest()
        return newest.number if newest is not None else NOTHING

    def has_role(self) -> int | None:
        record = read_record(self._around.home(self._member.dataset) / ROLE)
        if record is None or record.role is not Role.PRIMARY:
            return None
        return record.epoch.number

    def take_role(self) -> int:
        self._step.begin("role")
        record = read_record(self._around.home(self._member.dataset) / ROLE)
        side = self._standby()
        # Also the reign of who lacks what is here, and is not followed.
        superseding = side.superseded_by
        numbers = (record.epoch.number if record is not None else 0, superseding.epoch.number if superseding else 0)
        met = max(side.epoch, *numbers)
        reign = following(met, self._member.node)
        self._member.take_role(RoleRecord(Role.PRIMARY, reign, begun=False))
        return reign.number

    def serve(self) -> str:
        self._step.begin("serve")
        while True:
            self._step.look()
            side = self._member.side
            if isinstance(side, Primary):
                return _serves(side)
            if isinstance(side, Standby) and self._is_through(side):
                self._member.reopen()
            else:
                self._step.pause()

    def _is_through(self, side: Standby) -> bool:
        """Whether the standby equals what is to be served; a moment that was named becomes the newest commit on the way."""
        if self._wanted.moment != NOTHING and side.stands_back:
            record = read_record(self._around.home(self._member.dataset) / ROLE)
            assert record is not None
            side.begin_with(record.epoch, self._wanted.moment)
            self._member.pauses.resume(APPLY)
            self._member.steer()
        return succession.is_through(side)

    def stand_at(self, moment: CommitNumber) -> str:
        self._step.begin("moment")
        side = self._standby()
        commit = side.commit_at(moment)
        side.back.go(commit)
        while side.loop.facts().applied != moment:
            self._step.pause()
            side = self._standby()
        return self._wanted.words

    def run_hook(self, name: str) -> HookResult:
        self._step.begin(name)
        # After a crash another may have been promoted meanwhile.
        self._hooks.until_confirmed()
        return self._hooks.run(name)

    # --- what they share

    def _standby(self) -> Standby:
        """The open standby, waited for: after a crash it is opened first."""
        while True:
            self._step.look()
            if self._member.role is not Role.STANDBY:
                raise _no_standby(self._wanted.dataset)
            try:
                return self._member.standby()
            except TryAgain:
                self._step.pause()


def _serves(side: Primary) -> str:
    """What the new primary serves, for people."""
    newest = side.newest()
    if newest is None:
        return "it is empty"
    number = shown_commit(newest.number)
    if side.watch.in_force is None:
        return f"commit {number} is to stand, and nothing is seen of it yet: hikae status {side.dataset.name} says why"
    return f"commit {number} stands, and changes are seen"


def promotion_kind(member: PromotedMember, around: Surroundings) -> StepsKind[PromotionWorld]:
    """A promotion of a standby, for ``node.stepping.stepped``."""
    return StepsKind(
        KIND,
        RECORD,
        "a promotion",
        PROMOTION_FAILED,
        TABLE,
        lambda arguments, run: World(member, around, wanted_promotion(arguments), run),
        lambda: True,
    )


def asked_anew(
    member: PromotedMember, around: Surroundings, side: Standby, ending: threading.Event, *, at_last: bool = False
) -> PromotionFacts:
    """What a promotion now would be, with the primary and the other standbys asked. ``at_last``: whatever they said a moment ago,
    in a short time, and before_promote has run. Raises ``Refused``, ``CalledOff``."""
    dataset, answers = member.dataset.name, member.answers
    within = SOON if at_last and answers.are_fresh(FRESH) else ANSWERS_WITHIN
    ask = partial(ask_around, dataset, member.assigned, around, ending, within)
    found = answers.anew(FRESH, ask) if at_last else answers.within(FRESH, ask)
    facts = member.promotion(judged(found, member.assigned.primary, side.newest(), side.epoch), prepared=at_last)
    if facts is None:
        raise _no_standby(dataset)
    return facts


def _no_standby(dataset: str) -> Refused:
    return Refused(OPERATION, dataset, "this node keeps no standby of it", "see hikae status")
