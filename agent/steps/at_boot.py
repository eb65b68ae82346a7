"""Whether what the start hook starts would start at boot by itself: then an old primary serves before anybody can fence it.

Which units a hook starts is read off its words; whether the service manager would start them is what ``systemctl is-enabled``
says (systemctl(1)).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.config.values import Dataset, Hook
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import STARTS_AT_BOOT

_ANSWERS_WITHIN = 2.0
#: What is said of a unit that is started at boot, or whenever something else is.
_STARTED = frozenset({"enabled", "enabled-runtime", "linked-runtime"})
_STARTS = frozenset({"start", "restart", "reload-or-restart"})
#: Seconds from one look to the next.
EVERY = 300.0


def started_units(hook: Hook | None) -> tuple[str, ...]:
    """The units of ``["systemctl", "start", UNIT]``; none of a hook that runs anything else. Pure."""
    words = list(hook.run) if hook is not None else []
    if not words or words[0].rpartition("/")[2] != "systemctl":
        return ()
    plain = [word for word in words[1:] if not word.startswith("-")]
    return tuple(plain[1:]) if plain[:1] and plain[0] in _STARTS else ()


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


@dataclass(slots=True)
class BootLook:
    """Of one dataset, for who tends it. ``units``: those that were found enabled at the last look."""

    board: ProblemBoard
    clock: Clock
    ask: Callable[[str], str] = ask_systemctl
    units: tuple[str, ...] = ()
    _due: float = 0.0

    def tick(self, dataset: Dataset) -> None:
        """Look, if it is time to."""
        if self.clock.monotonic() < self._due:
            return
        self._due = self.clock.monotonic() + EVERY
        self.units = enabled_units(started_units(dataset.hooks.start), self.ask)
        if not self.units:
            self.board.clear(STARTS_AT_BOOT)
            return
        message, remedy = boot_sentence(dataset.name, self.units), boot_remedy(self.units)
        self.board.put(Problem(STARTS_AT_BOOT, Severity.WARNING, self.clock.now_ns(), b"", message, remedy))
