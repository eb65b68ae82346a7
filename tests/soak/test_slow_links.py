"""Slow links: what status says of state, lag, what is left and when it will be there, against the truth at each half second; how
long a small edit takes beside bulk; and what goes over the wire.

The wire is the kernel's token bucket between two hosts in network namespaces, 50 ms of delay by a relay. Content is
incompressible, so what the secondary's packs grew by is what arrived. `make soak PART=slow-links` does all of it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.store.catalog.catalog import CatalogReader
from fakes.agents import UNBRAKED, Pair
from fakes.eventually import eventually
from fakes.loop_image import run
from fakes.slow_link import SlowLink, can_link, slow_link
from fakes.slow_looks import (
    BEHIND,
    CATCHUP,
    DISCONNECTED,
    FIRST_SYNC,
    FOUND_SECONDS,
    HALF,
    STREAMING,
    Cut,
    Look,
    false_first_sync,
    false_states,
    packs,
    standing_problems,
    watched,
)

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
MIB = 1 << 20
#: Of the truth, in bytes, and in seconds of the link: what is on its way at this moment is neither here nor there.
LEFT_SHARE, LEFT_FLOOR, LEFT_SECONDS = 0.15, 256 << 10, 0.25
LAG_SECONDS = 1.0
#: A forecast is judged once the burst has run for so long, and while there is so much to go, in seconds.
FORECAST_AFTER, FORECAST_SHARE, FORECAST_FLOOR = 10.0, 1 / 3, 1.5
EDIT_SECONDS = 5.0

pytestmark = pytest.mark.skipif(not can_link(), reason="takes root, ip, tc and ss")


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
        print(one.words(began))


def must_be_none(found: list[str]) -> None:
    """Nothing false was said; else all of it."""
    assert [] == found, "\n".join(found)


def look_at_a_burst(megabits: float, seconds: float, rng: random.Random, files: int = 20) -> None:
    """A burst that takes ``seconds`` at this rate: all that is said of it is so."""
    with running(megabits) as link:
        size = int(megabits * 125_000 * seconds)
        with watched(link.both) as seen:
            made = burst(link, rng, size, files)
            link.both.alpha.wait("durable", within=10 * seconds + 60)
            time.sleep(6 * HALF)
        report(f"{made.size:,} bytes in {files} files at {megabits} Mbit/s", seen.looks, made.began)
        print(f"written after {made.written - made.began:.1f} s")
        whole = packs(link.both)
        must_be_none(false_states(seen.looks, whole, made.began, size=made.size))
        must_be_none(untruths(seen.looks, made, whole, megabits * 125_000))


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
def test_a_first_sync_is_told(megabits: float, rng: random.Random) -> None:
    """`first-sync` at each half second until the tree stands there, and check is not OK before that."""
    with slow_link(UNBRAKED, megabits) as link:
        made = burst(link, rng, int(megabits * 125_000 * 30), 20)
        link.both.start()
        for agent in link.both.agents:
            agent.up()
        lacking = {f"burst-{number}": made.size // 20 for number in range(20)}
        with watched(link.both, lacking) as seen:
            link.both.alpha.wait("applied", within=300)
            time.sleep(6 * HALF)
        report(f"first sync of {made.size:,} bytes at {megabits} Mbit/s", seen.looks, made.written)
        must_be_none(false_first_sync(seen.looks, made.written))


@pytest.mark.skipif(not WHOLE, reason="make soak PART=slow-links")
@pytest.mark.parametrize(("megabits", "kept"), [(1, 0), (10, 45)])
def test_a_link_that_is_cut_is_told(megabits: float, kept: float, rng: random.Random) -> None:
    """`disconnected` while it is cut, gone within seconds of its return, state and problem; what is cut for a second at a time is
    not disconnected; everything arrives. ``kept``: seconds that the link stays cut once it is told: pauses between calls grow."""
    cuts: list[Cut] = []
    with running(megabits) as link:
        with watched(link.both) as seen:
            made = burst(link, rng, int(megabits * 125_000 * 60), 10)
            time.sleep(5)
            began = time.monotonic()
            link.cut()
            eventually(lambda: seen.looks[-1].state == DISCONNECTED, 2 * FOUND_SECONDS)
            time.sleep(kept)
            cuts.append(joined(link, began))
            eventually(lambda: seen.looks[-1].state != DISCONNECTED, 60)
            print(f"connected {time.monotonic() - cuts[-1].ended:.1f} s after its return")
            for _ in range(5):
                began = time.monotonic()
                link.cut()
                time.sleep(1)
                cuts.append(joined(link, began))
                time.sleep(2)
            link.both.alpha.wait("applied", within=400)
            time.sleep(6 * HALF)
        report(f"{made.size:,} bytes at {megabits} Mbit/s, cut", seen.looks, made.began)
        print(f"cut: {', '.join(f'{cut.began - made.began:.1f} to {cut.ended - made.began:.1f} s' for cut in cuts)}")
        link.both.must_equal(link.both.datasets["web"])
        must_be_none(standing_problems(seen.looks, made.began))
        must_be_none(false_states(seen.looks, packs(link.both), made.began, size=made.size, cuts=cuts))
        assert (STREAMING, frozenset()) == (seen.looks[-1].state, seen.looks[-1].problems)


def joined(link: SlowLink, began: float) -> Cut:
    """Join it again; from when to when it was cut."""
    link.join()
    return Cut(began, time.monotonic())


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


#: A mebibyte a second, ten seconds of rest and a burst of forty, as the looks of a truthful status.
_BEGAN, _SIZE = 10.0, 40 * MIB


def truthful(cut: Cut | None = None) -> list[Look]:
    """Looks at a burst of which status says what is so, cut or not."""
    looks: list[Look] = []
    arrived = 0
    for half in range(240 if cut else 140):
        at = half * HALF
        away = cut is not None and cut.began <= at < cut.ended
        left = _SIZE - arrived if at >= _BEGAN else 0
        late = left > 15 * MIB and at > _BEGAN + 3
        state = BEHIND if late else STREAMING
        known = away and cut is not None and at > cut.began + 15
        looks.append(Look(at, DISCONNECTED if known else state, 0.0, left, None, arrived))
        arrived += 0 if away or at < _BEGAN else min(MIB // 2, left)
    return looks


def said(looks: list[Look], state: str, began: float, ended: float) -> list[Look]:
    """The looks, of which those in between say another state."""
    return [replace(one, state=state) if began <= one.at < ended else one for one in looks]


@pytest.mark.parametrize(
    ("state", "began", "ended", "wrong"),
    [
        (STREAMING, 0, 15, 0),
        (STREAMING, 20, 25, 10),
        (BEHIND, 46, 50, 8),
        (BEHIND, 55, 56, 2),
        ("degraded", 30, 31, 2),
        (DISCONNECTED, 30, 31, 2),
        (CATCHUP, 30, 31, 2),
    ],
)
def test_a_false_state_is_found(state: str, began: float, ended: float, wrong: int) -> None:
    """What looks say of a burst is held against what arrived: each that is far from it is named, and no other."""
    assert [] == false_states(truthful(), _SIZE, _BEGAN, size=_SIZE)
    assert wrong == len(false_states(said(truthful(), state, began, ended), _SIZE, _BEGAN, size=_SIZE))


@pytest.mark.parametrize(
    ("state", "began", "ended", "wrong"),
    [
        (BEHIND, 30, 38, 0),
        (STREAMING, 30, 38, 16),
        (BEHIND, 44, 50, 12),
        (DISCONNECTED, 60, 79, 0),
        (DISCONNECTED, 60, 85, 7),
        (DISCONNECTED, 70, 71, 2),
        (CATCHUP, 60, 70, 0),
    ],
)
def test_a_false_state_beside_a_cut_is_found(state: str, began: float, ended: float, wrong: int) -> None:
    """Of a link that is cut from 20 to 60 s: what is said too late, too long, or again is named."""
    cut = Cut(20, 60)
    looks = truthful(cut)
    assert [] == false_states(looks, _SIZE, _BEGAN, size=_SIZE, cuts=[cut])
    found = false_states(said(looks, state, began, ended), _SIZE, _BEGAN, size=_SIZE, cuts=[cut])
    assert wrong == len(found), "\n".join(found)


def test_a_return_that_takes_longer_than_the_pauses_allow_is_found() -> None:
    """Where the call was lost half a second ago the next one is begun soon: seven and a half seconds later it must be there."""
    cut = Cut(20, 36)
    looks = said(truthful(cut), DISCONNECTED, 36, 45)
    assert 2 == len(false_states(looks, _SIZE, _BEGAN, size=_SIZE, cuts=[cut]))


def test_a_problem_that_stands_too_long_is_found() -> None:
    """That of a lost link goes within seconds of the call that is there again."""
    looks = truthful(Cut(20, 60))
    told = [replace(one, problems=frozenset({DISCONNECTED}) if 35 < one.at < 62 else frozenset()) for one in looks]
    assert [] == standing_problems(told, _BEGAN)
    told = [replace(one, problems=frozenset({DISCONNECTED}) if 35 < one.at < 64 else frozenset()) for one in looks]
    assert 3 == len(standing_problems(told, _BEGAN))


def test_a_false_word_of_a_first_sync_is_found() -> None:
    """`streaming`, or OK, before the tree stands there; a first sync that never ends; `disconnected` in the middle."""
    states = ["unconfirmed"] * 2 + [FIRST_SYNC] * 20 + [STREAMING] * 10
    looks = [
        Look(half * HALF, state, 0.0, 0, None, 0, int(state != STREAMING), frozenset(), int(state != STREAMING))
        for half, state in enumerate(states)
    ]
    assert [] == false_first_sync(looks, 0.0)
    for state, wrong in ((STREAMING, 2), (DISCONNECTED, 2), (BEHIND, 2)):
        assert wrong == len(false_first_sync(said(looks, state, 5, 6), 0.0))
    assert 2 == len(false_first_sync(said(looks, FIRST_SYNC, 12, 13), 0.0)), "a second after its end"
    assert 1 == len(false_first_sync([replace(one, check=0) if one.at == 5 else one for one in looks], 0.0))
