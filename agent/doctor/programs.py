"""Are the operator's programs there, and does nothing start by itself what only they may start?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from agent.config.values import Dataset, Hook, Hooks
from agent.doctor.configured import written_by_others
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.steps.at_boot import ask_systemctl, boot_remedy, boot_sentence, enabled_units
from agent.steps.programs import BEGINS, MISSING_REMEDY, are_brought, program_path
from agent.steps.started import started_units

_NAME = "hooks"
#: What ``systemctl is-enabled`` says of a unit that it does not know.
_NOT_FOUND = "not-found"


@dataclass(frozen=True, slots=True)
class HookFound:
    """A hook of the configuration. ``program``: its first word; ``missing``: it cannot be executed; ``open_to_others``: they
    could put another in its place, and it runs as root."""

    name: str
    program: str
    missing: bool = False
    open_to_others: bool = False


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """Of one dataset. ``at_boot``: units that the start hook starts and that would start by themselves; ``unknown_units``: of
    these the ones that systemd does not know."""

    dataset: str
    hooks: Hooks
    found: tuple[HookFound, ...] = ()
    at_boot: tuple[str, ...] = ()
    unknown_units: tuple[str, ...] = ()


def look_at_programs(dataset: Dataset, ask: Callable[[str], str] = ask_systemctl) -> ProgramFacts:
    """Look for each program as the agent would; none is run."""
    units = started_units(dataset.hooks.start)
    found = tuple(_found(name, hook.run[0]) for name, hook in _named(dataset.hooks) if hook.run)
    unknown = tuple(unit for unit in units if ask(unit) == _NOT_FOUND)
    return ProgramFacts(dataset.name, dataset.hooks, found, enabled_units(units, ask), unknown)


def judge_programs(facts: ProgramFacts) -> Iterator[Diagnosis]:
    """What a change of role would stumble over. Pure."""
    said = [*_of_programs(facts), *_of_what_is_not_named(facts)]
    yield from said
    if not any(one.asks_for_somebody for one in said):
        names = ", ".join(one.name for one in facts.found) or "there is nothing to start or stop"
        yield good(_NAME, f"programs that are there: {names}" if facts.found else names, facts.dataset)
    if facts.at_boot:
        message, remedy = boot_sentence(facts.dataset, facts.at_boot), boot_remedy(facts.at_boot)
        yield Diagnosis("boot", Condition.WARNING, message, remedy, facts.dataset)


def _of_programs(facts: ProgramFacts) -> Iterator[Diagnosis]:
    for one in facts.found:
        if one.missing:
            yield _of_a_missing_one(one, facts)
        if one.open_to_others:
            message = f"{one.program} (hook {one.name}) can be written by others than its owner, and runs as root"
            yield Diagnosis(_NAME, Condition.ERROR, message, f"chmod go-w {one.program}", facts.dataset)
    for unit in facts.unknown_units:
        message = f"the hook start starts {unit}, and systemd here knows no such unit"
        remedy = "install the application on this node too, or correct [dataset.hooks] start"
        yield Diagnosis(_NAME, Condition.ERROR, message, remedy, facts.dataset)


def _of_a_missing_one(one: HookFound, facts: ProgramFacts) -> Diagnosis:
    message = f"the program of the hook {one.name} is not there, or cannot be executed: {one.program}"
    if one.name in BEGINS and are_brought(facts.hooks):
        remedy = f"if before_promote does not bring it: {MISSING_REMEDY}"
        return Diagnosis(_NAME, Condition.WARNING, message, remedy, facts.dataset)
    return Diagnosis(_NAME, Condition.ERROR, message, MISSING_REMEDY, facts.dataset)


def _of_what_is_not_named(facts: ProgramFacts) -> Iterator[Diagnosis]:
    hooks, dataset = facts.hooks, facts.dataset
    if hooks.start is None:
        message = "no start hook is named: a promotion is refused without --force, since nobody said what to start"
        remedy = 'write start = ["systemctl", "start", UNIT], or "none", below [dataset.hooks]'
        yield Diagnosis(_NAME, Condition.WARNING, message, remedy, dataset)
    if hooks.stop is None and (hooks.start is None or hooks.start.run):
        message = "no stop hook is named: a switchover or a rollback does not stop what writes here"
        remedy = 'write stop = ["systemctl", "stop", UNIT], or "none", below [dataset.hooks]'
        yield Diagnosis(_NAME, Condition.WARNING, message, remedy, dataset)
    if hooks.start is not None and hooks.start.run and (hooks.on_fenced is None or not hooks.on_fenced.run):
        message = "no on_fenced hook stops the application here once another node was promoted: it goes on writing"
        remedy = 'write on_fenced = ["systemctl", "stop", UNIT] below [dataset.hooks]'
        yield Diagnosis(_NAME, Condition.WARNING, message, remedy, dataset)
    if hooks.probe is None:
        message = "no probe is named, so hikae rehearse has nothing to run on a view of the standby"
        yield Diagnosis(_NAME, Condition.INFO, message, 'write probe = ["PROGRAM"] below [dataset.hooks]', dataset)


def _named(hooks: Hooks) -> Iterator[tuple[str, Hook]]:
    for one in fields(hooks):
        value = getattr(hooks, one.name)
        if isinstance(value, Hook):
            yield one.name, value


def _found(name: str, program: str) -> HookFound:
    path = program_path(program)
    if path is None:
        return HookFound(name, program, missing=True)
    path = os.path.realpath(path)
    return HookFound(name, program, open_to_others=any(written_by_others((path, os.path.dirname(path)))))
