"""The storm: random operations while either agent is killed at random moments; at the end both trees are equal in everything.

`make test` runs one short storm; `make soak PART=storms-of-two` runs twenty whole ones (docs/evidence.md).
"""

from __future__ import annotations

import os
import random

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.storm import Storm
from fakes.trees import differences

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
FIRST = int(os.environ.get("HIKAE_SOAK_FIRST", "1"))
WHOLE = {"operations": 10_000, "kills": 20}
SHARE = {"operations": 2_000, "kills": 4}


def storm_with_kills(both: Pair, seed: int, operations: int, kills: int) -> Storm:
    """Run the storm; between its parts one agent is killed and started again, sometimes given time to catch up."""
    choices = random.Random(seed * 7919 + 1)
    storm = Storm(str(both.source), seed)
    both.start()
    for part in range(kills + 1):
        storm.run(operations // (kills + 1))
        if part == kills:
            break
        victim = choices.choice(both.agents)
        victim.kill()
        victim.start()
        mood = choices.random()
        if mood < 0.3:
            both.alpha.json("wait", "web", "--durable", "--timeout", "100")
        elif mood < 0.5:
            both.alpha.json("wait", "web", "--applied", "--timeout", "100")
        elif mood < 0.8:
            victim.json("status")
    return storm


def assert_mirrored(both: Pair) -> None:
    """Content, all metadata, holes and hard links equal; digests equal; `verify --deep` clean."""
    both.settle()
    assert [] == differences(str(both.source), str(both.target))
    primary, standby = both.alpha.dataset(), both.beta.dataset()
    assert primary["commit"]["digest"] == standby["commit"]["digest"]
    report = both.beta.json("verify", "web", "--deep")
    assert ([], True) == (report["differences"], report["equal"])


def _check(seed: int, operations: int, kills: int) -> None:
    print(f"storm seed {seed}, {operations} operations, {kills} kills")
    with pair(UNBRAKED) as both:
        try:
            storm = storm_with_kills(both, seed, operations, kills)
            assert_mirrored(both)
            assert sum(storm.done.values()) > operations * 0.6
        except BaseException:
            print("alpha:\n", both.alpha.tail(), "\nbeta:\n", both.beta.tail())
            raise


@pytest.mark.timeout(300)
def test_a_short_storm_ends_in_equal_trees() -> None:
    """The share of every `make test`: one seed, a new one each time, printed."""
    _check(int(os.environ.get("HIKAE_STORM_SEED", random.randrange(1_000_000))), **SHARE)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_whole_storm_ends_in_equal_trees(seed: int) -> None:
    """`make soak`: 10,000 operations and 20 kills a seed."""
    _check(seed, **WHOLE)
