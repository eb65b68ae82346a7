"""The primary is killed while it is written to: what is lost was said before, and so was how long it takes."""

from __future__ import annotations

import os
import random

import pytest

from fakes.agents import pair
from fakes.killed_primary import kill_under_load

#: What a machine that is loaded adds to anything, milliseconds.
_NOISE = 1_500


@pytest.mark.parametrize("turn", range(int(os.environ.get("HIKAE_SOAK_SEEDS", "3"))))
def test_what_is_lost_was_foretold(seed: int, turn: int) -> None:
    """Each path that is gone was announced, or written within the window that status named a second before."""
    with pair('[dataset.hooks]\nstart = "none"\n') as both:
        both.begin()
        killed = kill_under_load(both, random.Random(seed + turn))
        assert [] == [path for path in killed.lost if not killed.foretold(path)]
        assert ("primary", 2) == (killed.done["role"], killed.done["epoch"])
        print(
            f"lost {len(killed.lost)} of {len(killed.written)}; said {killed.said['rto_ms']} ms, took {killed.done['rto_ms']} ms",
            [(one["name"], one["ms"]) for one in killed.done["steps"]],
        )
        assert killed.done["rto_ms"] <= 2 * killed.said["rto_ms"] + _NOISE
