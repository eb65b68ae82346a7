"""How hard is it to get a processor or a disk on this host, and how much of the processors do others use?"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

#: Of ``cpu`` in ``/proc/stat`` (proc(5)): time in which a processor did nothing, and what belongs to others of its machine.
_IDLE, _IOWAIT, _STEAL, _GUEST = 3, 4, 7, 8
_SOME = re.compile(r"^some .*total=(\d+)$", re.MULTILINE)
_MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class LoadPlaces:
    """Where the kernel tells; tests have their own."""

    cpu: Path = Path("/proc/pressure/cpu")
    io: Path = Path("/proc/pressure/io")
    stat: Path = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class HostLoad:
    """Seconds since the host was started, but ``at``: monotonic. ``cpu_stalled``, ``io_stalled``: in which some task waited for a
    processor, or a disk; ``used``: of processors, by everybody but this process."""

    at: float
    cpu_stalled: float
    io_stalled: float
    used: float


def host_load(places: LoadPlaces = LoadPlaces()) -> HostLoad | None:
    """The load until now; None where the kernel does not tell (``psi=1`` on its command line makes it)."""
    try:
        cpu_stalled, io_stalled = _stalled(places.cpu), _stalled(places.io)
        used = _used(places.stat.read_text()) - time.process_time()
    except (OSError, ValueError):
        return None
    return HostLoad(time.monotonic(), cpu_stalled, io_stalled, used)


def _stalled(path: Path) -> float:
    total = _SOME.search(path.read_text())
    if total is None:
        raise ValueError(path)
    return int(total[1]) * _MICRO


def _used(stat: str) -> float:
    """``guest`` is in ``user`` already."""
    ticks = [int(one) for one in stat.split("\n", 1)[0].split()[1 : _GUEST + 1]]
    return (sum(ticks) - sum(ticks[one] for one in (_IDLE, _IOWAIT, _STEAL))) / os.sysconf("SC_CLK_TCK")
