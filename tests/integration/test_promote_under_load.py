"""The primary is killed while it is written to: what is lost was said before, and so was how long it takes."""

from __future__ import annotations

import os
import random

import pytest

from fakes.agents import pair
from fakes.killed_primary import Killed, kill_under_load

#: What a machine adds to anything, in milliseconds: one that is loaded, and one on which nothing else runs (make soak).
_LOADED, _ALONE = 3_000, 150
_NOISE = _ALONE if "HIKAE_SOAK_PART" in os.environ else _LOADED


@pytest.mark.parametrize("turn", range(int(os.environ.get("HIKAE_SOAK_SEEDS", "2"))))
def test_what_is_lost_was_foretold(seed: int, turn: int) -> None:
    """Each path that is gone was announced, or written within the window that status named a second before."""
    with pair('[dataset.hooks]\nstart = "none"\n') as both:
        both.begin()
        killed = kill_under_load(both, random.Random(seed + turn))
        print(_told(killed))
        assert [] == [path for path in killed.lost if not killed.foretold(path)]
        assert ("primary", 2) == (killed.done["role"], killed.done["epoch"])
        said, took = killed.said["rto_ms"], killed.done["rto_ms"]
        assert said / 2 - _NOISE <= took <= 2 * said + _NOISE


def _told(killed: Killed) -> str:
    lost, said, took = len(killed.lost), killed.said["rto_ms"], killed.done["rto_ms"]
    return f"{lost} of {len(killed.written)} writes lost; {said} ms were predicted, {took} ms it took"
