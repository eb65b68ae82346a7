"""What this node says of a dataset to a peer: made of the same facts as its own status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.core.hold import Hold
from agent.core.kept import KeptPast
from agent.core.problem import Problem, Severity, kept_path
from agent.core.problem_codes import CLOCK, CONFIG_DIFFERS, VERSION
from agent.core.standing import Standing, SyncFacts, Trouble
from agent.status.derive import own_state
from agent.status.facts import DatasetFacts
from agent.status.state import State, rank
from agent.status.text import shown

#: What both nodes find when they meet: each knows it by itself.
_BOTH_KNOW = frozenset({CLOCK, CONFIG_DIFFERS, VERSION})

_HOUR = 3600 * 10**9


def standing_of(facts: DatasetFacts, peer: str, of_node: Sequence[Problem] = ()) -> Standing:
    """How the dataset stands here, for ``peer``: this node's own side of it, and the first sync of that peer. ``of_node``: what
    is wrong with the node itself, such as its disk or its certificate: it ends the replication of every dataset."""
    problems = [problem for problem in (*facts.problems, *of_node) if problem.code not in _BOTH_KNOW]
    return Standing(
        state=_state_for(facts, peer).value,
        hold=_hold(facts.hold),
        pauses=facts.pauses,
        errors=_count(problems, Severity.ERROR),
        warnings=_count(problems, Severity.WARNING) + sum(facts.uncounted.values()),
        worst=_worst(problems),
        verified=facts.last_verify,
        sync=_sync(facts, peer),
        past=_past(facts),
    )


def _past(facts: DatasetFacts) -> KeptPast | None:
    """What is kept here. A forecast is told to the hour and growth to a hundredth: what they gain each second is no news."""
    vault = facts.vault
    if facts.history is None:
        return None
    if vault is not None:
        full_at = vault.full_at_ns // _HOUR * _HOUR if vault.full_at_ns is not None else None
        vault = replace(vault, full_at_ns=full_at, bytes_per_day=_about(vault.bytes_per_day))
    return KeptPast(facts.history, facts.history_wanted, vault)


def _about(value: int | None) -> int | None:
    if not value:
        return value
    step = int(10 ** max(0, len(str(abs(value))) - 2))
    return round(value / step) * step


def _state_for(facts: DatasetFacts, peer: str) -> State:
    """This node's own state, and of ``peer`` that it does not keep pace, or lacks what it was away for: it cannot know that by
    itself."""
    own = own_state(facts)
    lags = [State(one.mode) for one in facts.peers if one.name == peer and one.mode in (State.BEHIND, State.CATCHUP)]
    if lags and own is State.FIRST_SYNC and _sync(facts, peer) is None:
        return lags[0]  # the first sync is another's
    return min([own, *lags], key=rank)


def _hold(hold: Hold | None) -> Hold | None:
    if hold is None:
        return None
    return Hold(hold.code, shown(hold.sentence), shown(hold.remedy), hold.since, generation=hold.generation)


def _count(problems: list[Problem], severity: Severity) -> int:
    return sum(problem.severity is severity for problem in problems)


def _worst(problems: list[Problem]) -> Trouble | None:
    for severity in (Severity.ERROR, Severity.WARNING):
        for problem in problems:
            if problem.severity is severity:
                where = f"{shown(kept_path(problem.path))}: " if problem.path else ""
                return Trouble(str(problem.code), where + shown(problem.message), shown(problem.remedy))
    return None


def _sync(facts: DatasetFacts, peer: str) -> SyncFacts | None:
    for one in facts.peers:
        if one.name == peer and one.first_sync is not None:
            return one.first_sync
    # Of several in their first sync it is that of another.
    return None if any(one.first_sync is not None for one in facts.peers) else facts.sync
