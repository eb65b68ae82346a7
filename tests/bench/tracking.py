"""What following 30,000 random small writes a second costs, by the kernel's own tracepoints."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.watch.blocks.tracker import TracepointTracker
from bench.crew import Failed
from bench.figures import Row, Spec, alone
from bench.job import Bench
from bench.machine import Unmeasurable
from fakes.written_disk import loop_of, needs_tracepoints

RATE = 30_000
_MEBIBYTES = 256
#: What the writer must reach at least; else the machine is too slow or too busy to say anything.
_REACHED = 0.95
#: How often what is dirty is taken, as a commit each five seconds with rounds before it would; seconds.
_TAKES = 1.0


def track(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """A writer at a fixed rate on a loop device in memory; the tracker is alone in this process."""
    if any(needs_tracepoints.args):
        raise Unmeasurable("block tracepoints need root, tracefs and loop devices")
    yield alone(specs["track"], [_tracked(bench) for _ in range(bench.sizes.track_runs)])


def _tracked(bench: Bench) -> float:
    """Processor seconds for each second of writes. Raises ``Failed``, ``Unmeasurable``."""
    ended = threading.Event()
    with loop_of(bench.base, _MEBIBYTES) as disk:
        tracker = TracepointTracker(disk, f"hikae-bench-{os.getpid()}")
        tracker.start(lambda: None)
        taking = threading.Thread(target=_takes, args=(tracker, ended))
        try:
            tracker.take()
            begun, used = time.monotonic(), time.process_time()
            taking.start()
            rate = _written(disk, bench.sizes.track_seconds)
            used, took = time.process_time() - used, time.monotonic() - begun
        finally:
            ended.set()
            if taking.ident is not None:
                taking.join()
            lost, untracked = tracker.overflows, tracker.audit()
            tracker.stop()
    Path(bench.base / "tracked.img").unlink()
    bench.say(f"{rate:.0f} writes/s for {took:.1f} s, {used:.2f} s of processor time")
    if lost or untracked:
        raise Failed(untracked or f"events were lost {lost} times")
    if rate < RATE * _REACHED:
        raise Unmeasurable(f"the writer reached {rate:.0f} writes/s")
    return used / took


def _takes(tracker: TracepointTracker, ended: threading.Event) -> None:
    while not ended.wait(_TAKES):
        tracker.take()


def _written(disk: str, seconds: float) -> float:
    """Write at random; how many writes a second it were. Raises ``Unmeasurable``, ``Failed``."""
    words = ["fio", "--name=w", f"--filename={disk}", "--rw=randwrite", "--bs=4k", "--direct=1", "--ioengine=libaio"]
    words += ["--iodepth=32", f"--rate_iops={RATE}", f"--runtime={seconds:g}", "--time_based", "--output-format=json"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unmeasurable("there is no fio") from error
    if done.returncode != 0:
        raise Failed(f"fio: {done.stderr}")
    told: float = json.loads(done.stdout)["jobs"][0]["write"]["iops"]
    return told
