"""Is this machine's clock kept? ``--at`` names moments by it, and a promotion asks that it goes as the peers' do."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from agent.doctor.diagnosis import Condition, Diagnosis, good

#: What adjtimex(2) returns for a clock that nobody keeps: TIME_ERROR.
_TIME_ERROR = 5
#: Greater than struct timex on any architecture.
_TIMEX_BYTES = 512
#: 2026-01-01: before that nothing of this was written.
_EARLIEST_NS = 1_767_225_600 * 10**9


def look_whether_kept() -> bool | None:
    """Whether somebody (NTP, the hypervisor) keeps the clock, as the kernel knows it; None where that cannot be told. Asks
    only."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR


def judge_clock(now: int, kept: bool | None) -> Iterator[Diagnosis]:
    """How the clock is. ``now``: UTC ns by it. Pure."""
    if now < _EARLIEST_NS:
        message = "the clock of this machine stands before this release was made"
        yield Diagnosis("clock", Condition.ERROR, message, "timedatectl set-time, or: timedatectl set-ntp true")
    elif kept is False:
        message = "nobody keeps the clock of this machine (the kernel says: unsynchronized), so it may drift"
        yield Diagnosis("clock", Condition.INFO, message, "timedatectl set-ntp true, unless a hypervisor keeps it")
    elif kept is None:
        yield Diagnosis("clock", Condition.UNKNOWN, "whether the clock is kept is not told here", "timedatectl")
    else:
        yield good("clock", "the clock is kept (NTP)")
