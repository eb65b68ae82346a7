"""The demonstration of a device, step by step: a filesystem on a disk is written, and the disk is replicated beneath it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.demo import history
from agent.cli.demo.agents import DATASET, Agent
from agent.cli.demo.compare import compare_trees
from agent.cli.demo.disks import DemoDisk, differing_ranges
from agent.cli.demo.failover import Failover
from agent.cli.demo.steps import Tell, percentile
from agent.core.errors import HikaeError, Refused, TryAgain, Unreachable
from agent.core.problem_codes import STANDBY_IN_USE
from agent.operations.declaration import Json, Reached
from agent.operations.reading import StatusRequest
from agent.operations.waiting import WaitRequest
from agent.status.figures import size_text, span_text

_PATIENCE = 120.0
_POLL = 0.5


@dataclass(frozen=True, slots=True)
class DeviceStoryLength:
    """``files`` stand there at first, each of up to ``most`` bytes; ``edits`` are made one by one, in at most
    ``edit_seconds``."""

    files: int = 300
    most: int = 200_000
    edits: int = 30
    edit_seconds: float = 15.0


@dataclass(slots=True)
class DeviceStory:
    """The two agents, their disks, and what was found; see ``Story``. ``restored``: the disk that a generation is brought back
    to."""

    alpha: Agent
    beta: Agent
    source: DemoDisk
    standby: DemoDisk
    restored: DemoDisk
    tell: Tell
    length: DeviceStoryLength = DeviceStoryLength()
    failover: Failover | None = None
    generations: int = 0
    restored_differences: list[str] | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(20261129))
    lags_ms: list[float] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    _pause: threading.Event = field(default_factory=threading.Event)

    def play(self) -> None:
        """All of it. Raises a ``HikaeError`` when an agent does not do its part."""
        self._build()
        self._first_sync()
        self._edit()
        self._kill()
        self._bring_back()
        self._compare()
        self._fail_over()

    def _build(self) -> None:
        self.source.format()
        self.source.mount()
        size = self._write(self.source, "first", self.length.files)
        whole = size_text(os.stat(self.source.image).st_size)
        self.tell("a disk", f"{whole}, ext4 mounted from it, {self.length.files:,} files of {size_text(size)}")

    def _first_sync(self) -> None:
        began = time.monotonic()
        self.alpha.start()
        self.beta.start()
        self._until(self.alpha, lambda dataset: bool(dataset["watch"]))
        self.tell("two agents", f"mutual TLS on loopback, watching by {self._watcher()} ({_since(began)})")
        self._wait("applied", self.alpha)
        self.tell("first sync", f"what is allocated of it, applied to the other disk ({_since(began)})")

    def _edit(self) -> None:
        began = time.monotonic()
        for number in range(self.length.edits):
            self._write(self.source, f"edit {number}", 1)
            written = time.monotonic()
            self._wait("durable", self.alpha)
            self.lags_ms.append((time.monotonic() - written) * 1000)
            if time.monotonic() - began > self.length.edit_seconds:
                break
        p50, p99 = (percentile(self.lags_ms, share) for share in (50, 99))
        self.tell(
            "live writes",
            f"{len(self.lags_ms)} writes, each durable there after {p50:.0f} ms (p50), {p99:.0f} ms (p99)",
        )

    def _kill(self) -> None:
        self._write(self.source, "under fire", self.length.files // 3)
        self.beta.kill()
        self._write(self.source, "while it is away", self.length.files // 3)
        self.beta.start()
        began = time.monotonic()
        self._wait("applied", self.alpha)
        self.tell("kill -9", f"the secondary, while it receives; all is there {_since(began)} after its restart")

    def _bring_back(self) -> None:
        began = time.monotonic()
        generation = history.take_in_demo(self.beta)
        self.generations += 1
        self.tell("generation", f"{generation} was taken, the filesystem stood still for it ({_since(began)})")
        began = time.monotonic()
        words = ("--generation", generation, "--to", str(self.restored.device), "--yes", "--json")
        answer = self.beta.typed("restore", DATASET, *words)
        self.restored.mount()
        found = self.restored_differences = self._compared_files(self.restored)
        self.restored.unmount()
        size = f"{size_text(answer['written_bytes'])} written to a third disk, and read back"
        self.tell("restore", f"{size}: {_outcome(found, 'its files are equal')} ({_since(began)})")

    def _compare(self) -> None:
        began = time.monotonic()
        self.source.unmount()
        told = self._equal_disks(self.alpha)
        self.tell("compare", f"the two disks, unmounted: {told} ({_since(began)})")
        self.source.mount()

    def _fail_over(self) -> None:
        self._write(self.source, "last", 20)
        self._wait("applied", self.alpha)
        self.alpha.kill()
        self.tell("kill -9", "the primary, its filesystem mounted")
        self.failover = Failover(
            self.alpha,
            self.beta,
            (self.source.files, self.standby.files),
            self.tell,
            self._compared_after_promotion,
            lambda agent, _words: self._wait("applied", agent),
            lambda true: self._until(self.alpha, true),
        )
        self.failover.promote()
        self._rejoin()
        self._switch_back(self.failover)

    def _compared_after_promotion(self, _one: str, _other: str) -> list[str]:
        """The promoted disk is mounted, which plays its journal."""
        self.standby.mount()
        return self._compared_files(self.standby)

    def _rejoin(self) -> None:
        self._write(self.standby, "on the new primary", 20)
        self.source.unmount()
        self.alpha.start()
        self._until(self.alpha, lambda dataset: dataset["state"] == "fenced")
        began = time.monotonic()
        self.alpha.typed("rejoin", DATASET, *history.WORDS)
        self.standby.unmount()
        told = self._equal_disks(self.beta)
        self.tell("rejoin", f"the old primary's disk is the standby: {told} ({_since(began)})")

    def _switch_back(self, failover: Failover) -> None:
        took = failover.hand_over()
        began = time.monotonic()
        self.source.mount()
        self._write(self.source, "on the first primary again", 20)
        self.source.unmount()
        told = self._equal_disks(self.alpha)
        self.tell(
            "switchover", f"{self.alpha.name} is the primary again ({took}), and is written: {told} ({_since(began)})"
        )

    def _equal_disks(self, primary: Agent) -> str:
        """Once all that was written on the primary's is applied, both unmounted: how they differ, in words."""
        self._wait("applied", primary)
        found = differing_ranges(self.source.device, self.standby.device)
        self.differences += found
        return _outcome(found, "equal bit for bit")

    def _compared_files(self, disk: DemoDisk) -> list[str]:
        return compare_trees(str(self.source.files), str(disk.files))

    def _write(self, disk: DemoDisk, name: str, count: int) -> int:
        """So many new files, on the disk when this returns; bytes."""
        place, size = disk.files / name, 0
        place.mkdir()
        for number in range(count):
            size += (place / f"{number}").write_bytes(self.chance.randbytes(self.chance.randrange(self.length.most)))
        os.sync()
        return size

    def _watcher(self) -> str:
        return str(self._dataset(self.alpha)["watch"]["kind"])

    def _dataset(self, agent: Agent) -> Json:
        found: Json = agent.client().ask(StatusRequest())["datasets"][0]
        return found

    def _wait(self, level: Reached, agent: Agent) -> None:
        """Until all that was written on an agent's disk is on the other; one that is just starting is asked again."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                agent.client().ask(WaitRequest(DATASET, level, _PATIENCE))
                return
            except (TryAgain, Unreachable):
                agent.check_alive()
                if time.monotonic() >= until:
                    raise
            except Refused:
                if not self._is_in_use() or time.monotonic() >= until:
                    raise
            self._pause.wait(_POLL)

    def _is_in_use(self) -> bool:
        """Whether a disk is held as used: what was unmounted may stand for a while in a mount namespace that another program of
        this machine made meanwhile."""
        holds = [self._dataset(agent).get("hold") for agent in (self.alpha, self.beta)]
        return any(hold is not None and hold["code"] == STANDBY_IN_USE for hold in holds)

    def _until(self, agent: Agent, is_so: Callable[[Json], bool]) -> None:
        """Until an agent's status of the dataset is so. Raises ``TryAgain`` when it takes too long."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                if is_so(self._dataset(agent)):
                    return
            except HikaeError:
                agent.check_alive()
            if time.monotonic() >= until:
                raise TryAgain("go on", agent.name, "it does not come to the next step", "look at its log")
            self._pause.wait(_POLL)


def disks_at(base: Path, size: int) -> tuple[DemoDisk, DemoDisk, DemoDisk]:
    """The primary's, the secondary's, and one to bring a generation back to."""
    made: list[DemoDisk] = []
    try:
        for name in ("source", "standby", "restored"):
            made.append(DemoDisk.make(base, name, size))
    except BaseException:
        for disk in made:
            disk.close()
        raise
    return made[0], made[1], made[2]


def _outcome(found: list[str], good: str) -> str:
    return f"{len(found):,} differences" if found else good


def _since(began: float) -> str:
    return span_text(time.monotonic() - began)
