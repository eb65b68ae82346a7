"""Time is passed in, never looked up in the middle of a decision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

#: Longer than anything is waited for or kept: a hundred years, in seconds. Beyond, calendars have no names for moments.
LONGEST_DURATION = 100 * 366 * 86_400
#: Where Linux tells its boots apart.
BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells one start of the machine from another; "" where nothing does."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


class Clock(Protocol):
    """The clocks of the machine, as the agent reads them. Tests use :class:`ManualClock`."""

    def now_ns(self) -> int:
        """Wall clock, UTC, nanoseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds that never fall, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = start_ns
        self._monotonic = 0.0

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by ``seconds``."""
        self._monotonic += seconds
        self._now_ns += int(seconds * 1e9)
