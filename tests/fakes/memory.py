"""What a process holds in memory, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes: the ``peak`` since the start or :func:`forget_peak`, ``now``, and how much of now is no page of a file."""

    peak: int
    now: int
    anonymous: int


def resident(pid: int) -> Resident:
    """One look at a process."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    peak, now, anonymous = (int(fields[name].split()[0]) << 10 for name in ("VmHWM", "VmRSS", "RssAnon"))
    return Resident(peak, now, anonymous)


def forget_peak(pid: int) -> None:
    """Let the peak count from now on (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
