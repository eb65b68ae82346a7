"""What a switchover is on either node, for the runner of steps (``node.stepping.stepped``); what does its steps is imported when
the first one begins."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.problem_codes import SWITCHING_OVER
from agent.node.context import Surroundings
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.node.switching.switched_member import SwitchedMember
from agent.roles.switchover import steps, taking_over
from agent.roles.switchover.steps import SwitchoverWorld, switchover_in
from agent.roles.switchover.taking_over import UNSAID, TakeOverWorld
from agent.steps.record import Facts


def switchover_kind(member: SwitchedMember, around: Surroundings) -> StepsKind[SwitchoverWorld]:
    """A switchover away from this node."""
    world = _hands_over(member, around)
    return StepsKind(steps.KIND, steps.RECORD, "a switchover", SWITCHING_OVER, steps.TABLE, world, lambda: True)


def finish_kind(member: SwitchedMember, around: Surroundings) -> StepsKind[SwitchoverWorld]:
    """The end of one that has handed over, asked for anew."""
    world = _hands_over(member, around)
    return StepsKind(
        steps.FINISH, steps.FINISH_RECORD, "a switchover", SWITCHING_OVER, steps.FINISH_TABLE, world, lambda: True
    )


def take_over_kind(member: SwitchedMember, around: Surroundings) -> StepsKind[TakeOverWorld]:
    """A take-over by this node."""

    def world(arguments: Facts, run: SteppedRun) -> TakeOverWorld:
        from agent.node.switching.taking_over import TakingOver

        return TakingOver(member, around, run, "take over", str(arguments.get("reason", "")) or UNSAID)

    return StepsKind(
        taking_over.KIND, taking_over.RECORD, "a take-over", SWITCHING_OVER, taking_over.TABLE, world, lambda: True
    )


def _hands_over(member: SwitchedMember, around: Surroundings) -> Callable[[Facts, SteppedRun], SwitchoverWorld]:
    def world(arguments: Facts, run: SteppedRun) -> SwitchoverWorld:
        from agent.node.switching.handing_over import HandingOver

        return HandingOver(member, around, switchover_in(arguments), run)

    return world
