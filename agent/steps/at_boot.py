"""Whether what the start hook starts would start at boot by itself: then an old primary serves before anybody can fence it.

Which units a hook starts is read off its words (``steps.started``); whether the service manager would start them is what
``systemctl is-enabled`` says (systemctl(1)).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.config.values import Dataset, Hook
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import STARTS_AT_BOOT
from agent.steps.started import started_units, unseen_program

_ANSWERS_WITHIN = 2.0
#: What is said of a unit that is started at boot, or whenever something else is.
_STARTED = frozenset({"enabled", "enabled-runtime", "linked-runtime"})
#: Seconds from one look to the next.
EVERY = 300.0


def enabled_units(units: Sequence[str], ask: Callable[[str], str]) -> tuple[str, ...]:
    """Those of the units that would start at boot."""
    return tuple(unit for unit in units if ask(unit) in _STARTED)


def ask_systemctl(unit: str) -> str:
    """What ``systemctl is-enabled`` says of a unit; "" where there is no service manager, or it does not answer in time."""
    words = ("systemctl", "is-enabled", "--", unit)
    try:
        found = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_ANSWERS_WITHIN, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()


def boot_sentence(dataset: str, units: Sequence[str]) -> str:
    """What is wrong, for people."""
    names = ", ".join(units)
    return f"{names} would start at boot by itself, so an old primary of {dataset} would serve before it is fenced"


def boot_remedy(units: Sequence[str]) -> str:
    """What to type; the start hook starts it where it may serve."""
    return f"systemctl disable {' '.join(units)}: hikae starts it where this node may serve"


@dataclass(frozen=True, slots=True)
class BootSeen:
    """What a look found, at ``at`` (UTC ns, None before any). ``units``: those that would start at boot; ``unsaid``: why it
    cannot be said that nothing else does, "" where it can."""

    units: tuple[str, ...] = ()
    unsaid: str = "it was not looked at yet"
    at: int | None = None


def boot_seen(hook: Hook | None, ask: Callable[[str], str], now: int) -> BootSeen:
    """What the start hook and the service manager say at ``now`` (UTC ns); ``ask`` as :func:`ask_systemctl`."""
    answers = {unit: ask(unit) for unit in started_units(hook)}
    program, silent = unseen_program(hook), [unit for unit, said in answers.items() if not said]
    unsaid = f"what {program} starts cannot be seen here" if program else ""
    if silent and not unsaid:
        unsaid = f"systemd does not say whether {', '.join(silent)} would start at boot"
    return BootSeen(enabled_units(tuple(answers), answers.__getitem__), unsaid, now)


#: Before any look.
NOT_LOOKED = BootSeen()


@dataclass(slots=True)
class BootLook:
    """Of one dataset, for who tends it. ``seen``: what the last look found."""

    board: ProblemBoard
    clock: Clock
    ask: Callable[[str], str] = ask_systemctl
    seen: BootSeen = NOT_LOOKED
    _due: float = 0.0
    _hook: Hook | None = None

    def tick(self, dataset: Dataset) -> None:
        """Look, if it is time to, or another hook was named."""
        hook = dataset.hooks.start
        if self.clock.monotonic() < self._due and hook == self._hook:
            return
        self._due, self._hook = self.clock.monotonic() + EVERY, hook
        self.seen = boot_seen(hook, self.ask, self.clock.now_ns())
        units = self.seen.units
        if not units:
            self.board.clear(STARTS_AT_BOOT)
            return
        message, remedy = boot_sentence(dataset.name, units), boot_remedy(units)
        self.board.put(Problem(STARTS_AT_BOOT, Severity.WARNING, self.clock.now_ns(), b"", message, remedy))
