"""The secondary away for long, the wire cut at any byte, the wire that hangs: the primary's writers go on, nothing is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.proxy import Proxy, proxy

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))


@contextmanager
def wired() -> Iterator[tuple[Pair, Proxy]]:
    """A pair whose connections pass through a proxy."""
    with pair() as both, proxy(both.beta.port) as wire:
        both.reach_beta_through(wire.port)
        yield both, wire


def burst(root: Path, choices: random.Random, count: int) -> None:
    """Files of all sizes written, some over older ones, some renamed or removed."""
    for number in range(count):
        path = root / f"d{number % 7}" / f"f{choices.randrange(60)}"
        path.parent.mkdir(exist_ok=True)
        act = choices.random()
        if act < 0.15 and path.exists():
            path.unlink()
        elif act < 0.25 and path.exists():
            path.rename(root / f"moved{choices.randrange(20)}")
        else:
            path.write_bytes(choices.randbytes(choices.choice((0, 100, 5_000, 150_000))))


def test_a_secondary_that_was_away_for_long_catches_up(rng: random.Random) -> None:
    """Thousands of changes while it is down: writers are not slowed, status names it, all is there after."""
    with pair() as both:
        (both.source / "before").write_text("1")
        both.begin()
        both.beta.kill()
        both.alpha.told("disconnected", "beta")
        begun = time.monotonic()
        for number in range(3_000):
            (both.source / f"file{number % 1_000}").write_text(str(number))
        assert time.monotonic() - begun < 30
        burst(both.source, rng, 300)
        assert "disconnected" == eventually(both.alpha.look)["state"]
        both.beta.start()
        both.mirror()
        both.alpha.cleared("disconnected")
        eventually(lambda: "streaming" == both.alpha.peer("beta")["mode"])


def cut_at(both: Pair, wire: Proxy, choices: random.Random, sizes: list[int]) -> None:
    """Write until the wire is cut after so many bytes; for each size what was written must become durable after."""

    def write_and_look() -> bool:
        burst(both.source, choices, 25)
        return wire.take_cut()

    for count in sizes:
        wire.cut_after(count)
        eventually(write_and_look)
        both.alpha.wait("durable")
    both.mirror()


def test_a_wire_cut_at_random_bytes_during_the_first_sync(rng: random.Random) -> None:
    """Cut in the handshake, the hello, the offers, the data, the seals: what arrived stays, the rest comes, and all is equal."""
    with wired() as (both, wire):
        burst(both.source, rng, 150)
        wire.cut_after(rng.randrange(1, 3_000))
        both.start()
        for _ in range(4):
            eventually(wire.take_cut)
            wire.cut_after(rng.randrange(3_000, 400_000))
        both.mirror()


def test_a_wire_cut_at_random_bytes_while_live(rng: random.Random) -> None:
    """Bursts of changes, each met by a cut somewhere in their transfer."""
    with wired() as (both, wire):
        both.begin()
        cut_at(both, wire, rng, [rng.randrange(1, 250_000) for _ in range(6)])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(SEEDS))
def test_a_wire_cut_at_many_bytes_while_live(number: int, rng: random.Random) -> None:
    """`make soak`: many cuts, small ones close together."""
    with wired() as (both, wire):
        both.begin()
        cut_at(both, wire, rng, [rng.randrange(1, 2_000) for _ in range(15)])
        cut_at(both, wire, rng, [rng.randrange(1, 1_000_000) for _ in range(25)])


def test_a_wire_that_hangs_is_found_and_replaced(rng: random.Random) -> None:
    """Half-open: nothing passes and nobody says so. Within half a minute it is noticed and dialled anew; status says so."""
    with wired() as (both, wire):
        both.begin()
        wire.hang()
        # The next call comes to nothing before the word of this one was seen.
        wire.hold("out", "back")
        burst(both.source, rng, 50)
        both.alpha.told("disconnected", "beta", within=45)
        wire.hold()
        both.mirror()
        both.alpha.cleared("disconnected")


def test_a_call_that_hangs_makes_room_for_the_next(rng: random.Random) -> None:
    """The secondary still believes in the call of a primary that has come back: the new call takes its seat at once."""
    with wired() as (both, wire):
        both.begin()
        wire.hang()
        both.alpha.kill()
        burst(both.source, rng, 20)
        both.alpha.start()
        both.mirror(20)
