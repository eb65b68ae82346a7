"""What must be so before a standby is tried. Pure over what its node knows."""

from __future__ import annotations

from agent.config.values import Hooks
from agent.status.facts import DatasetFacts
from agent.status.promotion import Gate


def rehearsal_gates(facts: DatasetFacts, hooks: Hooks, *, settled: bool) -> tuple[Gate, ...]:
    """Each gate, met or not, in the order in which they are shown. ``settled``: the first sync is through."""
    return (_probe(facts, hooks), _first_sync(facts, settled=settled), _hold(facts))


def _probe(facts: DatasetFacts, hooks: Hooks) -> Gate:
    probe = hooks.probe
    if probe is None or not probe.does:
        remedy = 'write probe = ["PROGRAM", "ARGUMENT"] below [dataset.hooks]; then: hikae reload'
        return Gate("probe", False, "no probe is configured", "a program", facts.time_ns, remedy)
    tried = " and ".join((*probe.units, *probe.run[:1]))
    return Gate("probe", True, f"probe runs {tried}", "a program", facts.time_ns, "")


def _first_sync(facts: DatasetFacts, *, settled: bool) -> Gate:
    value = "it is through" if settled else "the first sync is under way, and nothing whole stands here"
    remedy = "" if settled else "wait for it: hikae status says how far it is"
    return Gate("first-sync", settled, value, "through", facts.time_ns, remedy)


def _hold(facts: DatasetFacts) -> Gate:
    if facts.hold is None:
        return Gate("hold", True, "nothing is held", "none", facts.time_ns, "")
    return Gate("hold", False, facts.hold.sentence, "none", facts.time_ns, facts.hold.remedy)
