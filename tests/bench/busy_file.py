"""Job: one place of a large file is written again and again, as a database or a disk image is: what that costs each node."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import ours, workloads
from bench.crew import Failed, processor_time, until
from bench.figures import Row, Spec, alone
from bench.job import Bench
from bench.specs import BUSY_BYTES, BUSY_RATE
from bench.workloads import PIECE
from fakes.agents import Pair

#: Where in the file; a multiple of a page.
_AT = BUSY_BYTES // 2
#: Who arrives more rarely on the standby, in seconds, costs little since nothing is replicated; a write waits for some 3.4.
_RARELY = 10.0
#: Both nodes are at rest once neither took more than so much of a core for a second; how long that may take, in seconds.
_AT_REST, _RESTS_WITHIN = 5.0, 60.0


@dataclass(frozen=True, slots=True)
class Share:
    """What the processes of two nodes took of a core, in percent."""

    primary: float
    secondary: float


def busy_file(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """After the first sync, of nodes at rest; each run ends when the standby has the last page that was written."""
    bench.need_room(4 * BUSY_BYTES)
    source = bench.base / "source"
    workloads.large_file(source, BUSY_BYTES)
    shares: list[Share] = []
    with ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        ours.reconcile(pair)
        for _ in range(bench.sizes.busy_runs):
            _rest(pair)
            shares.append(_one(bench, pair))
    yield alone(specs["busy-file-primary"], [share.primary for share in shares])
    yield alone(specs["busy-file-secondary"], [share.secondary for share in shares])


def _one(bench: Bench, pair: Pair) -> Share:
    """Of all the time from before the first write until the last page is there, so that no work is left out as not yet done."""
    standby = pair.target / "large"
    seen: set[bytes] = set()
    taken = _meter(pair)
    writes = round(bench.sizes.busy_seconds * BUSY_RATE)
    pages = rewritten(pair.source / "large", _AT, writes, BUSY_RATE, lambda: seen.add(page(standby, _AT)))
    until(lambda: page(standby, _AT) == pages[-1], "the last page on the standby")
    share = taken()
    arrived = len(seen.intersection(pages) | {pages[-1]})
    bench.say(
        f"primary {share.primary:.1f} %, secondary {share.secondary:.1f} %; {arrived} of {writes} pages were seen there"
    )
    if arrived * _RARELY < bench.sizes.busy_seconds:
        raise Failed(f"only {arrived} of {writes} pages arrived in {bench.sizes.busy_seconds:g} s")
    return share


def rewritten(path: Path, at: int, writes: int, rate: float, look: Callable[[], None]) -> list[bytes]:
    """Write a page of random bytes at one place so many times, ``rate`` a second, through one descriptor; the pages, in order.
    ``look`` is called after each."""
    pages = [os.urandom(PIECE) for _ in range(writes)]
    pause, begun = threading.Event(), time.monotonic()
    fd = os.open(path, os.O_WRONLY)
    try:
        for number, content in enumerate(pages):
            pause.wait(max(0.0, begun + number / rate - time.monotonic()))
            os.pwrite(fd, content, at)
            look()
    finally:
        os.close(fd)
    return pages


def page(path: Path, at: int) -> bytes:
    """What stands at one place of a file now."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.pread(fd, PIECE, at)
    finally:
        os.close(fd)


def _meter(pair: Pair) -> Callable[[], Share]:
    """Begins to measure; what it gives tells what was taken since."""
    processes = [ours.process_id(agent) for agent in pair.agents]
    begun, before = time.monotonic(), [processor_time(process) for process in processes]

    def taken() -> Share:
        after, seconds = [processor_time(process) for process in processes], time.monotonic() - begun
        return Share(*(100 * (b - a) / seconds for a, b in zip(before, after, strict=True)))

    return taken


def _rest(pair: Pair) -> None:
    """Wait until both nodes are done with what was before. Raises ``Failed``."""
    pause, deadline = threading.Event(), time.monotonic() + _RESTS_WITHIN
    ours.applied(pair)
    while True:
        taken = _meter(pair)
        pause.wait(1.0)
        share = taken()
        if max(share.primary, share.secondary) <= _AT_REST:
            return
        if time.monotonic() > deadline:
            raise Failed(f"the nodes did not come to rest within {_RESTS_WITHIN:.0f} s: {share}")
