"""Memory that is there when it is timed.

A virtual machine gives unused memory back to its host within seconds, and having a page again costs ten times what writing does
(here 11 against 1 µs). Who runs first, or writes more, would pay for that, which nobody does on a server of his own. So the bench
holds all memory itself and gives it back bit by bit as it is used, so that what is free was in use a moment before.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.sizes import MIB

_EVERY = 0.01


@dataclass(frozen=True, slots=True)
class Machine:
    """What memory there is, in bytes. ``piece``: held at once; ``left``: left free, more than what is used until the next look;
    ``meminfo``: a figure of proc_meminfo(5); ``limited``: whether the bench's control group has less than the machine."""

    piece: int
    left: int
    meminfo: Callable[[str], int]
    limited: Callable[[], bool]


class Memory:
    """Holds memory, gives it back. Made once a bench; between threads it is safe. ``holds``: False for one that never does, nor
    does one whose control group has less than the machine."""

    def __init__(self, holds: bool, machine: Machine | None = None) -> None:
        self._machine = machine or Machine(64 * MIB, 512 * MIB, _meminfo, _is_limited)
        self._holds = holds and not self._machine.limited()
        self._held: list[mmap.mmap] = []
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._give_back, name="bench-memory")

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Meanwhile what others need is given back as they use it, and at the end the rest."""
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._thread.join()
            self._shrink_to(0)

    def ready(self) -> None:
        """Hold what is free by now; call it just before something is timed. The first call takes a minute, later ones seconds."""
        machine = self._machine
        while self._holds and machine.meminfo("MemFree") > machine.left + machine.piece:
            piece = mmap.mmap(-1, machine.piece)
            for at in range(0, machine.piece, mmap.PAGESIZE):
                piece[at] = 1
            with self._lock:
                self._held.append(piece)

    def available(self) -> int:
        """Bytes that can be used, with those that are held here."""
        with self._lock:
            return self._machine.meminfo("MemAvailable") + len(self._held) * self._machine.piece

    def _give_back(self) -> None:
        while not self._done.wait(_EVERY):
            while self._held and self._machine.meminfo("MemFree") < self._machine.left:
                self._shrink_to(len(self._held) - 1)

    def _shrink_to(self, count: int) -> None:
        with self._lock:
            while len(self._held) > count:
                self._held.pop().close()


def _is_limited() -> bool:
    """Whether this process may use less memory than there is (cgroups(7), version 2)."""
    own = Path("/proc/self/cgroup").read_text().rpartition("::/")[2].strip()
    limits = [place / "memory.max" for place in (Path("/sys/fs/cgroup", own), *Path("/sys/fs/cgroup", own).parents)]
    return any(limit.is_file() and limit.read_text().strip() != "max" for limit in limits)


def _meminfo(key: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    return 256 * MIB


def total() -> int:
    """Bytes of memory of this machine."""
    return _meminfo("MemTotal")
