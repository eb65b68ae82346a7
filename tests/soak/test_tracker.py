"""The tracker of changed blocks against a reference: a copy that follows it is the device, whatever is written and lost."""

from __future__ import annotations

import hashlib
import mmap
import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.watch.blocks.dirty_map import MapLimits
from agent.watch.blocks.ports import Dirtied
from agent.watch.blocks.tracefs import RingLimits
from agent.watch.blocks.tracker import TracepointTracker, TrackerLimits
from fakes.written_disk import content, loop_of, needs_tracepoints, partitions_of, random_writer

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) or 3
_ROUNDS = 6

pytestmark = needs_tracepoints


class _Copy:
    """What a secondary would hold: everything that the tracker named was read after it was named."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.image = bytearray()
        self.whole = self.parts = 0

    def follow(self, taken: Dirtied) -> None:
        """Read what was taken."""
        if taken.reconcile is not None:
            self.whole += 1
            self.image[:] = content(self.device)
            return
        self.parts += 1
        fd = os.open(self.device, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        try:
            for start, end in taken.extents:
                with mmap.mmap(-1, end - start) as aligned:
                    assert end - start == os.preadv(fd, [aligned], start)
                    self.image[start:end] = aligned
        finally:
            os.close(fd)

    def digest(self) -> str:
        """Of the whole copy."""
        return hashlib.blake2b(self.image).hexdigest()


class _Life:
    """One tracked device through starts, stops and kills of its agent."""

    def __init__(self, device: str, base: Path, rng: random.Random) -> None:
        self.copy = _Copy(device)
        self._device = device
        self._saved = base / "map"
        self._name = f"hikae-test-{os.getpid()}-soak"
        self._rng = rng
        self._tracker = self._started()

    def follow(self) -> None:
        """Take, and read what was taken; now and then it cannot be read, and is given back."""
        taken = self._tracker.take()
        if self._rng.random() < 0.2:
            self._tracker.restore(taken)
            taken = self._tracker.take()
        self.copy.follow(taken)

    def starts_again(self) -> None:
        """The agent is stopped cleanly, or ends without a word."""
        self._tracker.save(self._saved) if self._rng.random() < 0.7 else self._tracker.stop()

    def goes_on(self) -> None:
        """The agent is there again."""
        self._tracker = self._started()

    def end(self) -> None:
        """Nothing is left."""
        self._tracker.stop()

    def _started(self) -> TracepointTracker:
        ring = self._rng.choice((8, 64, 512, 4096))
        limits = TrackerLimits(
            self._rng.choice((0.005, 3600.0)),
            rings=RingLimits(cpu=ring, least=8, page=self._rng.choice((4, 16))),
            map=MapLimits(self._rng.choice((4, 64, 1 << 18)), self._rng.choice((2, 4096)), self._rng.choice((2, 64))),
        )
        tracker = TracepointTracker(self._device, self._name, self._saved, limits)
        tracker.start(lambda: None)
        return tracker


@contextmanager
def _written_to(devices: list[str], rng: random.Random) -> Iterator[None]:
    """Each device is written to by a thread of its own; within the block they may still be at it."""
    threads = [threading.Thread(target=_writes, args=(device, random.Random(rng.random()))) for device in devices]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def _writes(device: str, rng: random.Random) -> None:
    with random_writer(device, rng) as writer:
        for _ in range(rng.randrange(80)):
            writer.write()
        writer.fast(rng.choice((0, 10, 3000)))


@pytest.mark.timeout(300 + 30 * SEEDS)
def test_a_copy_that_follows_the_tracker_is_the_device(tmpfs_dir: Path, seed: int) -> None:
    """Random writes, discards, zeroes, partitions, overruns, restarts: after each round the copy equals the device by hash."""
    whole = parts = 0
    for number in range(SEEDS):
        rng = random.Random(seed + number)
        with ExitStack() as stack:
            disk = stack.enter_context(loop_of(tmpfs_dir, 24))
            devices = [disk, *stack.enter_context(partitions_of(disk, *rng.choice(((), (12,), (6, 9)))))]
            life = _Life(rng.choice(devices), tmpfs_dir, rng)
            stack.callback(life.end)
            for round_ in range(_ROUNDS):
                _round(life, devices, rng)
                truth = hashlib.blake2b(content(life.copy.device)).hexdigest()
                assert truth == life.copy.digest(), f"seed {seed + number}, round {round_}"
            whole, parts = whole + life.copy.whole, parts + life.copy.parts
    print(f"{whole} times everything was read, {parts} times what was dirty")
    assert whole
    assert parts


def _round(life: _Life, devices: list[str], rng: random.Random) -> None:
    """Writes from all sides while the copy follows; the last take comes after the last write."""
    stops = rng.random() < 0.3
    if stops:
        life.starts_again()
    with _written_to(devices, rng):
        if stops:
            life.goes_on()
        for _ in range(rng.randrange(5)):
            life.follow()
    life.follow()
