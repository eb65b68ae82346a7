"""A rejoin is a list of recorded steps of its dataset, whichever role that has when a crash is over; what does them is imported
when the first one begins."""

from __future__ import annotations

from typing import Protocol

from agent.core.problem_codes import REJOINING
from agent.node.context import Surroundings
from agent.node.stepping.hooks_in_steps import HookedMember
from agent.node.stepping.step_in_hand import ChangesRole
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.roles.rejoin.steps import KIND, RECORD, TABLE, RejoinWorld, rejoin_in
from agent.status.facts import DatasetFacts
from agent.steps.record import Facts


class RejoinedMember(HookedMember, ChangesRole, Protocol):
    """The dataset that rejoins (``node.member.Member``). Any thread."""

    def facts(self) -> DatasetFacts:
        """As status tells it now."""
        ...


def rejoin_kind(member: RejoinedMember, around: Surroundings) -> StepsKind[RejoinWorld]:
    """That of one dataset."""

    def world(arguments: Facts, run: SteppedRun) -> RejoinWorld:
        from agent.node.rejoining.rejoin_world import RejoiningNode

        return RejoiningNode(member, around, rejoin_in(arguments), run)

    return StepsKind(KIND, RECORD, "a rejoin", REJOINING, TABLE, world, lambda: True)
