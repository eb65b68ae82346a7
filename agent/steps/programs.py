"""Whether the programs of hooks are there: looked for as they would be run, and none is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from agent.config.values import Hook, Hooks
from agent.core.errors import Refused

#: The hooks that run once the epoch is raised, when there is no way back to the standby.
BEGINS = ("start", "after_promote")


def program_path(program: str) -> str | None:
    """Where that program lies; None where it is not there, or cannot be executed."""
    return shutil.which(program)


def missing_programs(hooks: Hooks, names: Sequence[str], *, needed: bool = False) -> tuple[tuple[str, str], ...]:
    """Of the hooks of these names that run something: those whose program is missing, each with that. ``needed``: only those
    without which it does not go on."""
    return tuple(
        (name, hook.run[0])
        for name, hook in _named(hooks, names)
        if not (needed and hook.on_failure == "go-on") and program_path(hook.run[0]) is None
    )


def missing_sentence(missing: Sequence[tuple[str, str]]) -> str:
    """For people: ``start runs /srv/start, which is not there, or cannot be executed``."""
    return "; ".join(f"{name} runs {program}, which is not there, or cannot be executed" for name, program in missing)


def are_brought(hooks: Hooks) -> bool:
    """Whether before_promote runs something, which may bring (mount, unpack) what runs after it."""
    return hooks.before_promote is not None and bool(hooks.before_promote.run)


def require_programs(operation: str, dataset: str, node: str, hooks: Hooks) -> None:
    """On entry before_promote has run. Raises ``Refused`` where a program of ``BEGINS`` still is missing here, on ``node``."""
    missing = missing_programs(hooks, BEGINS, needed=True)
    if missing:
        raise Refused(operation, dataset, f"on {node}: {missing_sentence(missing)}", f"on {node}: {MISSING_REMEDY}")


#: What such a gate asks for.
THERE = "programs that are there"
#: What leads on.
MISSING_REMEDY = "install it, or correct [dataset.hooks]; then: hikae reload"


def _named(hooks: Hooks, names: Sequence[str]) -> Iterator[tuple[str, Hook]]:
    for name in names:
        hook = getattr(hooks, name)
        if isinstance(hook, Hook) and hook.run:
            yield name, hook
