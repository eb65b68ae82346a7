"""When are the disks full that this node writes on? Looked at every ten seconds, judged by the last hour."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import DISK_FILLING
from agent.fs.reserve import FreeSpace, room_at
from agent.status.facts import DiskFacts
from agent.status.figures import size_text, span_text

_LOOK_SECONDS, _HOUR, _LEAST_SECONDS = 10.0, 3600.0, 600.0
#: A reserve that is reached within this is told: half a day and a night.
_SOON = 24 * 3600.0
#: So little beyond the reserve is told whatever the rate is.
_LITTLE = 2
_REMEDY = (
    "enlarge it, or move away what is not hikae's; or have hikae keep less: hikae generations expire DATASET --dry-run "
    "(shows what would go), then the same without --dry-run (removes it) and hikae generations collect DATASET (frees space); "
    "or a shorter history or a vault_limit in the configuration; never delete files of hikae's by hand"
)


def seconds_until_reserve(samples: Sequence[tuple[float, int]], reserve: int) -> float | None:
    """How long until ``reserve`` bytes are left at the rate between the first and the last sample ``(monotonic seconds, free
    bytes)``; None where they span less than ten minutes, or the room does not shrink. Pure."""
    if not samples:
        return None
    (first, had), (last, free) = samples[0], samples[-1]
    if last - first < _LEAST_SECONDS or free >= had:
        return None
    return max(free - reserve, 0) * (last - first) / (had - free)


class Disks:
    """The filesystems under some directories, one for each device; ``paths`` says which those are now. ``tick`` by one thread,
    ``facts`` by any.

    A mount that never answers holds up a thread that does nothing else, and the figures stay as they were."""

    def __init__(
        self,
        paths: Callable[[], Iterable[Path]],
        board: ProblemBoard,
        clock: Clock,
        look: Callable[[str], FreeSpace] = room_at,
    ) -> None:
        self._paths = paths
        self._board = board
        self._clock = clock
        self._look = look
        self._due = 0.0
        self._looking: threading.Thread | None = None
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        self._facts: tuple[DiskFacts, ...] = ()

    def facts(self) -> tuple[DiskFacts, ...]:
        """As last looked at."""
        return self._facts

    def tick(self) -> None:
        """Looks, beside the caller, where ten seconds have passed and the last look has ended."""
        now = self._clock.monotonic()
        if now < self._due or (self._looking is not None and self._looking.is_alive()):
            return
        self._due = now + _LOOK_SECONDS
        self._looking = threading.Thread(target=self.look_now, name="disks", daemon=True)
        self._looking.start()

    def look_now(self) -> None:
        """Looks, and tells what is found. A directory that is not there is passed over: others tell of it."""
        now = self._clock.monotonic()
        self._facts = tuple(self._fact(room, now) for room in self._rooms())
        self._tell()

    def _rooms(self) -> list[FreeSpace]:
        """The first directory of each filesystem stands for it."""
        rooms: dict[int, FreeSpace] = {}
        for path in sorted(map(str, self._paths())):
            try:
                device = os.stat(path).st_dev
                rooms.setdefault(device, self._look(path))
            except OSError:
                continue
        return list(rooms.values())

    def _fact(self, room: FreeSpace, now: float) -> DiskFacts:
        samples = self._samples.setdefault(room.path, deque())
        samples.append((now, room.free))
        while now - samples[0][0] > _HOUR:
            samples.popleft()
        left = seconds_until_reserve(samples, room.reserve)
        full_at = None if left is None else self._clock.now_ns() + int(left * 1e9)
        return DiskFacts(room.path, room.free, room.total, room.reserve, full_at)

    def _tell(self) -> None:
        said = [words for fact in self._facts if (words := self._trouble(fact))]
        if not said:
            self._board.clear(DISK_FILLING)
            return
        self._board.put(Problem(DISK_FILLING, Severity.WARNING, self._clock.now_ns(), b"", "; ".join(said), _REMEDY))

    def _trouble(self, fact: DiskFacts) -> str:
        left_until = max(fact.free - fact.reserve, 0)
        free = (
            f"{fact.path} is nearly full: {size_text(left_until)} until it takes in no more changes "
            f"({size_text(fact.free)} free, {size_text(fact.reserve)} of it a reserve)"
        )
        left = None if fact.full_at_ns is None else (fact.full_at_ns - self._clock.now_ns()) / 1e9
        if left is not None and left < _SOON:
            return f"{free}, reached in {span_text(left)} at the rate of the last hour"
        return free if fact.free < _LITTLE * fact.reserve else ""
