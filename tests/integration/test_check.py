"""``hikae check`` of agents that stand still, are gone, or belong to others."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fakes.agents import Agent, pair
from fakes.eventually import eventually


def age(agent: Agent, seconds: float) -> None:
    """As if the state had been published so long ago."""
    for name in ("state.json", "state-full.json"):
        path = Path(agent.socket).parent / name
        os.utime(path, (time.time() - seconds,) * 2)


def test_an_agent_that_hangs_is_critical() -> None:
    """A stopped process answers nobody; check reads what it published and how long ago, and is good again when it goes on."""
    with pair() as both:
        both.start()
        (both.source / "a").write_text("1")
        both.alpha.wait("applied")
        eventually(lambda: both.alpha.run("check").returncode == 0)
        both.alpha.stand_still()
        try:
            age(both.alpha, 16)
            done = both.alpha.run("check")
        finally:
            both.alpha.go_on()
        assert (2, True) == (done.returncode, "the agent is not running, or hangs" in done.stdout)
        eventually(lambda: both.alpha.run("check").returncode == 0)


def test_limits_and_one_dataset() -> None:
    """A lag that no link can keep is exceeded; a dataset that is not there is unknown."""
    with pair() as both:
        both.start()
        (both.source / "a").write_text("1")
        both.alpha.wait("applied")
        eventually(lambda: both.alpha.run("check", "web", "-c", "5m").returncode == 0)
        # Its lag is measured within seconds, and then even none is too much.
        eventually(lambda: both.alpha.run("check", "web", "-w", "0").returncode == 1)
        assert both.alpha.run("check", "wbe").returncode == 3
