"""Both agents killed at the same moment: whatever they were in, the next start ends in equal trees."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.eventually import eventually

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))


def fill(root: Path, choices: random.Random, count: int, size: int) -> None:
    """``count`` files in some directories, ``size`` bytes at most."""
    for number in range(count):
        path = root / f"d{number % 20}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(choices.randbytes(choices.randrange(size)))


def received(both: Pair) -> int:
    """Bytes in the secondary's packs."""
    packs = both.home(both.beta) / "vault" / "packs"
    return sum(pack.stat().st_size for pack in packs.glob("*.pack")) if packs.is_dir() else 0


def standing(both: Pair) -> int:
    """Entries at the top two levels of the standby."""
    return sum(1 for _ in both.target.glob("*/*")) if both.target.is_dir() else 0


def reach(measure: Callable[[Pair], int], both: Pair, wanted: int) -> None:
    """Wait until a measure is so high."""
    eventually(lambda: measure(both) >= wanted)


def kill_in_first_sync(both: Pair, choices: random.Random, kills: int) -> None:
    """Kill both ever later in a first sync, by bytes received and by entries applied."""
    fill(both.source, choices, 1_500, 20_000)
    for number in range(kills):
        both.start()
        if number % 2:
            reach(standing, both, min(1_400, choices.randrange(1, 400) * number))
        else:
            reach(received, both, min(10_000_000, choices.randrange(1, 2_000_000) * (number + 1)))
        both.kill()
    both.begin()


def kill_in_bursts(both: Pair, choices: random.Random, kills: int) -> None:
    """Kill both in the middle of bursts."""
    both.begin()
    for number in range(kills):
        before = received(both)
        for each in range(150):
            (both.source / f"burst{choices.randrange(300)}").write_bytes(choices.randbytes(4_000))
            if each == choices.randrange(150):
                reach(received, both, before + 1)
        both.kill()
        fill(both.source, choices, 20, 10_000)
        (both.source / f"while-down{number}").write_text("nobody saw this")
        both.start()
    both.mirror()


def test_both_killed_in_the_first_sync(rng: random.Random) -> None:
    """Several times, at different stages; what had arrived is not sent again, and nothing is half there."""
    with pair(UNBRAKED) as both:
        kill_in_first_sync(both, rng, 4)


def test_both_killed_in_bursts(rng: random.Random) -> None:
    """Live changes, both killed, more changes while nobody runs."""
    with pair(UNBRAKED) as both:
        kill_in_bursts(both, rng, 3)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(SEEDS))
def test_both_killed_again_and_again(number: int, rng: random.Random) -> None:
    """`make soak`: more kills, of both kinds."""
    with pair(UNBRAKED) as both:
        kill_in_first_sync(both, rng, 10)
        both.stop()
        kill_in_bursts(both, rng, 10)


def test_what_crashes_an_interpreter_is_in_the_journal() -> None:
    """What each thread was at, for who has to find out; the agent goes on where it was."""
    with pair() as both:
        both.begin()
        both.alpha.kill(signal.SIGSEGV)
        said = both.alpha.log.read_text()
        assert (True, True) == ("Fatal Python error: Segmentation fault" in said, "agent/process/service.py" in said)
        both.alpha.start()
        both.alpha.up()
        both.mirror()
