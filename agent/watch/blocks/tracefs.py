"""A trace instance of our own: rings of the kernel that note what is written on one disk."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.config.nesting import mounts
from agent.fs._libc import call
from agent.watch.blocks.formats import BlockEvent, RingPage, block_event, ring_page

PLACE = Path("/sys/kernel/tracing")

_QUEUE = "block_bio_queue"
_COMPLETIONS = ("block_rq_complete", "block_bio_complete")
_EVENTS = (_QUEUE, *_COMPLETIONS)
#: Reads are of no interest, and a reconcile makes many. Everything else may write: write-zeroes go by ``N``.
_NO_READS = ' && !(rwbs ~ "R*")'
_LOST = re.compile(r"^(?:overrun|commit overrun|dropped events): (\d+)$", re.MULTILINE)
#: What was noted on a processor: what was read, and what waits. It never falls, unless somebody empties the ring.
_NOTED = re.compile(r"^(?:entries|read events): (\d+)$", re.MULTILINE)
_LONGEST_PAGE = 1 << 20


@dataclass(frozen=True, slots=True)
class RingLimits:
    """KiB. ``cpu``: of one processor's ring, unless all together would take more than ``all``, and never less than ``least``;
    ``page``: read at once, where the kernel lets one choose."""

    cpu: int = 8 << 10
    all: int = 64 << 10
    least: int = 1 << 10
    page: int = 16

    def ring(self, cpus: int) -> int:
        """KiB for each of so many processors."""
        return max(self.least, min(self.cpu, self.all // max(1, cpus)))


@dataclass(frozen=True, slots=True)
class BlockFormats:
    """How this kernel writes what a ring holds."""

    page: RingPage
    queue: BlockEvent
    completions: tuple[BlockEvent, ...]


def tracefs_place(place: Path = PLACE) -> Path:
    """Where tracefs is mounted; it is mounted where it is not. Raises ``OSError``."""
    found = [Path(point) for point, kind in mounts() if kind == "tracefs"]
    if place in found or not found:
        if not found:
            call("mount", b"tracefs", os.fsencode(place), b"tracefs", 0, None)
        return place
    return found[0]


def formats_at(tracefs: Path) -> BlockFormats:
    """The layouts of this kernel. Raises ``OSError``, ``UnknownFormat``."""
    queue, *completions = (block_event((tracefs / f"events/block/{one}/format").read_text()) for one in _EVENTS)
    return BlockFormats(ring_page((tracefs / "events/header_page").read_text()), queue, tuple(completions))


class TraceInstance:
    """One instance and its rings, open. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rings: list[int] = []
        self._noted: dict[str, int] = {}
        self._emptied = 0

    @classmethod
    def made(cls, path: Path, limits: RingLimits = RingLimits()) -> TraceInstance:
        """A new instance that notes nothing yet, in place of one that stood there. Raises ``OSError``."""
        removed(path)
        path.mkdir()
        instance = cls(path)
        try:
            instance._set_up(limits)
        except OSError:
            instance.remove()
            raise
        return instance

    @classmethod
    def found(cls, path: Path) -> TraceInstance:
        """An instance that an earlier process left noting. Raises ``OSError``."""
        instance = cls(path)
        instance._open_rings()
        return instance

    def note(self, device: int, *, reads: bool = False) -> None:
        """Note writes on a whole disk from now on, by the number that the kernel has for it; reads too, where told."""
        for event in _EVENTS:
            self._filter(event, f"dev == {device}", "" if reads else _NO_READS)
        for event in _EVENTS:
            self._write(f"events/block/{event}/enable", "1")

    def is_noting(self, device: int) -> bool:
        """Whether it still notes writes on this disk, as :meth:`note` told it. Raises ``OSError``."""
        return self._read("tracing_on") == "1" and all(
            self._read(f"events/block/{event}/enable").startswith("1")
            and self._read(f"events/block/{event}/filter") in (f"dev == {device}", f"dev == {device}{_NO_READS}")
            for event in _EVENTS
        )

    def pages(self) -> Iterator[bytes]:
        """What was noted before this call, and is taken out of the rings: a page at a time. Raises ``OSError``."""
        for ring in self._rings:
            with suppress(BlockingIOError):
                while page := os.read(ring, _LONGEST_PAGE):
                    yield page

    def lost(self) -> int:
        """How many events were lost since it was made; a ring that somebody else emptied counts as one. Raises ``OSError``."""
        lost = 0
        for cpu in self._cpus():
            stats = self._read(f"per_cpu/{cpu}/stats")
            lost += sum(map(int, _LOST.findall(stats)))
            noted = sum(map(int, _NOTED.findall(stats)))
            self._emptied += noted < self._noted.get(cpu, 0)
            self._noted[cpu] = noted
        return lost + self._emptied

    def leave(self, kept: float) -> None:
        """Let it go on noting with nobody there; for so many seconds no other agent may take it for a dead one's."""
        until = time.time() + kept
        with suppress(OSError):
            os.utime(self.path, (until, until))
        self.close()

    def close(self) -> None:
        """Give the rings back; the instance goes on noting."""
        rings, self._rings = self._rings, []
        for ring in rings:
            os.close(ring)

    def remove(self) -> None:
        """End it."""
        self.close()
        removed(self.path)

    def _set_up(self, limits: RingLimits) -> None:
        # What no longer fits is dropped and counted; the kernel then never takes a page from under a reader.
        self._write("trace_options", "nooverwrite")
        for option in ("norecord-cmd", "norecord-tgid"):
            with suppress(OSError):
                self._write("trace_options", option)
        with suppress(OSError):
            self._write("buffer_subbuf_size_kb", str(limits.page))
        self._write("buffer_size_kb", str(limits.ring(len(self._cpus()))))
        self._open_rings()

    def _open_rings(self) -> None:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        for cpu in self._cpus():
            self._rings.append(os.open(self.path / "per_cpu" / cpu / "trace_pipe_raw", flags))

    def _cpus(self) -> list[str]:
        return sorted(os.listdir(self.path / "per_cpu"))

    def _filter(self, event: str, device: str, rest: str) -> None:
        try:
            self._write(f"events/block/{event}/filter", device + rest)
        except OSError as error:
            if error.errno != errno.EINVAL or not rest:
                raise
            self._write(f"events/block/{event}/filter", device)

    def _read(self, name: str) -> str:
        return (self.path / name).read_text().strip()

    def _write(self, name: str, text: str) -> None:
        with (self.path / name).open("w") as file:
            file.write(text)


def removed(path: Path) -> None:
    """Remove an instance, where there is one. Raises ``OSError``."""
    with suppress(FileNotFoundError):
        path.rmdir()
