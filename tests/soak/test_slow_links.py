"""Slow links: what status says of state, lag, what is left and when it will be there, against the truth at each half second; how
long a small edit takes beside bulk; and what goes over the wire.

The wire is the kernel's token bucket between two hosts in network namespaces, 50 ms of delay by a relay. Content is
incompressible, so what the secondary's packs grew by is what arrived. `make soak PART=slow-links` does all of it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.store.catalog.catalog import CatalogReader
from fakes.agents import UNBRAKED, Pair
from fakes.changing import written_to
from fakes.eventually import eventually
from fakes.loop_image import run
from fakes.slow_link import SlowLink, can_link, slow_link

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
MIB = 1 << 20
HALF = 0.5
#: Of the truth, in bytes, and in seconds of the link: what is on its way at this moment is neither here nor there.
LEFT_SHARE, LEFT_FLOOR, LEFT_SECONDS = 0.15, 256 << 10, 0.25
LAG_SECONDS = 1.0
#: A forecast is judged once the burst has run for so long, and while there is so much to go, in seconds.
FORECAST_AFTER, FORECAST_SHARE, FORECAST_FLOOR = 10.0, 1 / 3, 1.5
EDIT_SECONDS = 5.0

pytestmark = pytest.mark.skipif(not can_link(), reason="takes root, ip, tc and ss")


@dataclass(frozen=True, slots=True)
class Look:
    """What status said, and what was true: ``at`` monotonic seconds; bytes; ``lag`` and ``forecast`` seconds or None."""

    at: float
    state: str
    lag: float | None
    left: int
    forecast: float | None
    arrived: int


@dataclass(slots=True)
class Watched:
    """Looks at a peer each half second while a burst is worked off."""

    link: SlowLink
    looks: list[Look] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to end."""
        while not self._enough.wait(HALF):
            self.looks.append(look(self.link.both))

    def end(self) -> None:
        """No more looks."""
        self._enough.set()


def look(both: Pair) -> Look:
    """One look."""
    arrived, seen = packs(both), both.alpha.look()
    peer = seen["peers"][0]
    return Look(
        time.monotonic(), seen["state"], peer["lag_seconds"], peer["behind_bytes"], peer["forecast_seconds"], arrived
    )


def packs(both: Pair) -> int:
    """Bytes in the secondary's packs."""
    return sum(written_to(path) for path in (both.home(both.beta) / "vault/packs").glob("*.pack"))


@contextmanager
def watched(link: SlowLink) -> Iterator[Watched]:
    """Looks for as long as the block lasts."""
    one = Watched(link)
    thread = threading.Thread(target=one.run, name="looks")
    thread.start()
    try:
        yield one
    finally:
        one.end()
        thread.join()


def untruths(looks: list[Look], made: Burst, whole: int, rate: float) -> list[str]:
    """What status said of a burst that was not so, in words, once all of it was written; ``whole``: the packs' bytes at its
    end; ``rate``: bytes a second of the link."""
    end, began, size = next(one.at for one in looks if one.arrived >= whole), made.began, made.size
    found = []
    for one in looks:
        if one.at < made.written + HALF:
            # What is not written yet is not left.
            continue
        since, left = one.at - began, min(size, whole - one.arrived)
        if abs(one.left - left) > max(LEFT_SHARE * left, LEFT_FLOOR, LEFT_SECONDS * rate):
            found.append(f"{since:.1f} s: {one.left:,} bytes left, truly {left:,}")
        lag = since if left else 0.0
        # What lags longest was written at some time of the burst.
        least = lag - (made.written - began)
        # The last byte stands in the pack a moment before the pack is on the disk.
        most = lag if left or one.at > end + LAG_SECONDS else since
        if one.lag is None or not least - LAG_SECONDS < one.lag < most + LAG_SECONDS:
            found.append(f"{since:.1f} s: lag {one.lag}, truly {lag:.1f}")
        remains = end - one.at
        if since > FORECAST_AFTER and remains > 0:
            wrong = one.forecast is None or abs(one.forecast - remains) > max(FORECAST_SHARE * remains, FORECAST_FLOOR)
            if wrong:
                found.append(f"{since:.1f} s: forecast {one.forecast}, truly {remains:.1f}")
    return found


@contextmanager
def running(megabits: float) -> Iterator[SlowLink]:
    """A pair over a slow wire whose first sync is through."""
    with slow_link(UNBRAKED, megabits) as link:
        (link.both.source / "first").write_bytes(b"first")
        link.both.begin()
        yield link


@dataclass(frozen=True, slots=True)
class Burst:
    """``size`` bytes, written from ``began`` to ``written`` (monotonic seconds)."""

    size: int
    began: float
    written: float


def burst(link: SlowLink, rng: random.Random, size: int, files: int) -> Burst:
    """Write so many bytes in so many files at once."""
    began, each = time.monotonic(), size // files
    for number in range(files):
        with (link.both.source / f"burst-{number}").open("wb") as file:
            for at in range(0, each, 16 * MIB):
                file.write(rng.randbytes(min(16 * MIB, each - at)))
    return Burst(each * files, began, time.monotonic())


def report(title: str, looks: list[Look], began: float) -> None:
    """Every look, for the record."""
    print(f"\n{title}")
    for one in looks:
        said = f"{one.state:<12} lag {one.lag}  left {one.left:,}  forecast {one.forecast}"
        print(f"{one.at - began:7.1f} s  {said}  arrived {one.arrived:,}")


def look_at_a_burst(megabits: float, seconds: float, rng: random.Random, files: int = 20) -> None:
    """A burst that takes ``seconds`` at this rate: all that is said of it is so."""
    with running(megabits) as link:
        size = int(megabits * 125_000 * seconds)
        with watched(link) as seen:
            made = burst(link, rng, size, files)
            link.both.alpha.wait("durable", within=10 * seconds + 60)
            time.sleep(2 * HALF)
        report(f"{made.size:,} bytes in {files} files at {megabits} Mbit/s", seen.looks, made.began)
        print(f"written after {made.written - made.began:.1f} s")
        assert [] == untruths(seen.looks, made, packs(link.both), megabits * 125_000)


@pytest.mark.skipif(not WHOLE, reason="make soak PART=slow-links")
@pytest.mark.parametrize("megabits", [1, 10, 100])
@pytest.mark.parametrize("files", [1, 20, 500])
def test_a_burst_is_told_truly(megabits: float, files: int, rng: random.Random) -> None:
    """State, lag, what is left and forecast are so, at each half second."""
    look_at_a_burst(megabits, 40, rng, files)


@pytest.mark.parametrize("megabits", [20, 100])
def test_a_wait_covers_all_of_a_burst(megabits: float, rng: random.Random) -> None:
    """Files of a megabyte go from one queue to another while it becomes known how fast the link is: whoever waits for them, waits
    for all of them."""
    count = int(megabits / 2)
    with running(megabits) as link:
        burst(link, rng, count * 1_000_000, count)
        link.both.alpha.wait("durable", within=120)
        with CatalogReader.open(str(link.both.home(link.both.beta) / "catalog.db")) as reader:
            newest = reader.newest()
        assert newest is not None
        assert (count + 1, count * 1_000_000 + 5) == (newest.entries, newest.bytes)


@pytest.mark.skipif(not WHOLE, reason="make soak PART=slow-links")
@pytest.mark.parametrize("megabits", [1, 10])
def test_a_link_that_is_cut_is_told(megabits: float, rng: random.Random) -> None:
    """`disconnected` while it is cut, gone within seconds of its return; everything arrives, flapping or not."""
    with running(megabits) as link:
        burst(link, rng, int(megabits * 125_000 * 60), 10)
        time.sleep(5)
        link.cut()
        eventually(lambda: link.both.alpha.look()["state"] == "disconnected", 60)
        link.join()
        back = time.monotonic()
        eventually(lambda: link.both.alpha.look()["state"] != "disconnected", 60)
        print(f"connected {time.monotonic() - back:.1f} s after its return")
        for _ in range(5):
            link.cut()
            time.sleep(1)
            link.join()
            time.sleep(2)
        link.both.alpha.wait("applied", within=400)
        link.both.must_equal(link.both.datasets["web"])


@pytest.mark.skipif(not WHOLE, reason="make soak PART=slow-links")
@pytest.mark.parametrize("bulk", ["1", "8", "15", "17", "100", "many"])
def test_a_small_edit_does_not_wait_for_bulk(bulk: str, rng: random.Random) -> None:
    """A small edit is on the standby within 5 s at 1 Mbit/s, whatever else is on its way."""
    with running(1) as link:
        sizes = [8 << 10] * 2000 if bulk == "many" else [int(bulk) * MIB]
        for number, size in enumerate(sizes):
            (link.both.source / f"bulk-{number}").write_bytes(rng.randbytes(size))
        took = [edit(link.both, number) for number in range(8)]
        print(f"beside {bulk} MiB: " + " ".join(f"{seconds:.1f}" for seconds in took))
        assert [] == [seconds for seconds in took if seconds > EDIT_SECONDS]


def edit(both: Pair, number: int) -> float:
    """Change a small file after a moment; seconds until it can be read on the standby."""
    time.sleep(1)
    content = f"edit {number}".encode()
    (both.source / "edited").write_bytes(content)
    began = time.monotonic()
    there = both.target / "edited"
    eventually(lambda: there.exists() and there.read_bytes() == content, 120)
    return time.monotonic() - began


@pytest.mark.skipif(not WHOLE, reason="make soak PART=slow-links")
def test_source_code_costs_what_rsync_with_compression_takes(tmp_path: Path) -> None:
    """Bytes on the wire for a tree of source code, beside those of `rsync -az`."""
    with running(10) as link:
        stdlib = Path(os.__file__).parent
        chosen = [path for path in sorted(stdlib.rglob("*.py")) if "site-packages" not in path.parts][:800]
        before = link.carried()
        for path in chosen:
            to = link.both.source / path.relative_to(stdlib)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
        link.both.alpha.wait("durable", within=300)
        ours = link.carried() - before
        print(f"{len(chosen)} files: {ours:,} bytes, rsync -az {rsynced(link.both.source, tmp_path):,}")


def rsynced(source: Path, tmp_path: Path) -> int:
    """Bytes that `rsync -az` sends for a tree."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    shell.chmod(0o755)
    said = run(
        "rsync", "-az", "--stats", "-e", str(shell), "--exclude", ".hikae", f"{source}/", f"here:{tmp_path}/copy/"
    )
    line = next(line for line in said.splitlines() if line.startswith("Total bytes sent"))
    return int(line.partition(":")[2].replace(",", ""))
