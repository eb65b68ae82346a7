"""A rejoin is a list of recorded steps of its dataset, whichever role that has when a crash is over."""

from __future__ import annotations

from agent.core.problem_codes import REJOINING
from agent.node.context import Surroundings
from agent.node.rejoining.rejoin_world import RejoinedMember, RejoiningNode
from agent.node.stepping.stepped import SteppedRun, StepsKind
from agent.roles.rejoin.steps import KIND, RECORD, TABLE, RejoinWorld, rejoin_in
from agent.steps.record import Facts


def rejoin_kind(member: RejoinedMember, around: Surroundings) -> StepsKind[RejoinWorld]:
    """That of one dataset."""

    def world(arguments: Facts, run: SteppedRun) -> RejoinWorld:
        return RejoiningNode(member, around, rejoin_in(arguments), run)

    return StepsKind(KIND, RECORD, "a rejoin", REJOINING, TABLE, world, lambda: True)
