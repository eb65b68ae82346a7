"""Room that is kept free where our own state lies (law 8), so that a full disk never stands in the way of what leads out of it.

What arrives stops while there is still room for the catalog, for expiry and for a promotion; it goes on by itself once there is a
quarter more than the reserve. Looking is cheap, and is done by volume and time rather than with every batch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.core.clock import Clock
from agent.core.errors import TryAgain
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import STATE_DISK_RESERVE

#: A write-ahead log, its checkpoint and the index of a vault together need tens of MiB, whatever the disk's size.
LEAST = 64 << 20
#: No catalog needs more to go on; on a disk of terabytes a share of it would lie idle.
MOST = 1 << 30
SHARE = 20
#: On a filesystem so small that the least would be most of it, a quarter.
SMALL = 4
_AGAIN = 4
#: So many looks before a reserve could be used up.
_STEPS = 8
_LOOK_BYTES = 16 << 20
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """What ``statvfs`` says of the filesystem at ``path``: bytes that are free for whoever is not root, and all there are."""

    path: str
    free: int
    total: int

    @property
    def reserve(self) -> int:
        """Bytes to keep free there: a twentieth, within bounds."""
        return min(self.total // SMALL, max(LEAST, min(self.total // SHARE, MOST)))

    @property
    def enough(self) -> int:
        """Bytes that must be free for what was stopped to go on."""
        return self.reserve + self.reserve // _AGAIN


@dataclass(frozen=True, slots=True)
class Shortage:
    """The reserve at ``room`` is reached."""

    room: FreeSpace

    @property
    def reason(self) -> str:
        """Which reserve, and what is left, in words."""
        room = self.room
        return f"the last {_size(room.reserve)} of {room.path} are kept free, and {_size(room.free)} are left"

    @property
    def remedy(self) -> str:
        """What to do, and when it goes on."""
        return f"free space there or enlarge it: from {_size(self.room.enough)} on it goes on by itself"

    def problem(self, what: str, now_ns: int) -> Problem:
        """For status. ``what``: what stands still meanwhile."""
        return Problem(STATE_DISK_RESERVE, Severity.ERROR, now_ns, b"", f"{what}: {self.reason}", self.remedy)


class ReserveReached(TryAgain):
    """Nothing more may be written there for now."""

    def __init__(self, operation: str, subject: str, shortage: Shortage) -> None:
        super().__init__(operation, subject, shortage.reason, shortage.remedy)
        self.shortage = shortage


class VaultLimitReached(TryAgain):
    """The vault takes as much as it may."""


def short_of_room(rooms: Iterable[FreeSpace], before: Shortage | None) -> Shortage | None:
    """The first filesystem that has too little room. One that was short before is so until it has enough again."""
    for room in rooms:
        was_short = before is not None and before.room.path == room.path
        if room.free < (room.enough if was_short else room.reserve):
            return Shortage(room)
    return None


def room_at(path: str) -> FreeSpace:
    """Look now. Raises ``OSError``."""
    stat = os.statvfs(path)
    return FreeSpace(path, stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)


def room_beyond_reserve(path: str) -> int:
    """Bytes that may be written there before the reserve is reached; none where that cannot be told."""
    try:
        room = room_at(path)
    except OSError:
        return 0
    return max(0, room.free - room.reserve)


class Reserve:
    """The reserves of some directories. Any thread."""

    def __init__(self, paths: Iterable[Path], clock: Clock, look: Callable[[str], FreeSpace] = room_at) -> None:
        self.shortage: Shortage | None = None
        self._paths = [str(path) for path in paths]
        self._clock = clock
        self._look_at = look
        self._lock = threading.Lock()
        self._since = 0
        self._step = 0
        self._due = 0.0

    def look(self) -> Shortage | None:
        """Look now. A directory that cannot be looked at says nothing: whoever uses it will."""
        rooms = []
        for path in self._paths:
            try:
                rooms.append(self._look_at(path))
            except OSError:
                continue
        with self._lock:
            self._since = 0
            self._due = self._clock.monotonic() + _LOOK_SECONDS
            # A step must fit into the reserve several times over, or small disks would be full between two looks.
            self._step = min([_LOOK_BYTES, *(room.reserve // _STEPS for room in rooms)])
            self.shortage = short_of_room(rooms, self.shortage)
            return self.shortage

    def passed(self, amount: int) -> Shortage | None:
        """``amount`` more bytes were or will be written: looks when a second or a few MiB have passed since the last time."""
        with self._lock:
            self._since += amount
            due = self._since >= self._step or self._clock.monotonic() >= self._due
        return self.look() if due else self.shortage


def _size(count: int) -> str:
    """Bytes for people: ``640 KiB``, ``64 MiB``, ``1.5 GiB``."""
    for unit, name in ((30, "GiB"), (20, "MiB")):
        if count >= 1 << unit:
            value = count / (1 << unit)
            return f"{value:.1f} {name}" if value < 10 else f"{value:.0f} {name}"
    return f"{count >> 10} KiB"
