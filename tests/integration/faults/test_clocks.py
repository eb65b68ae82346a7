"""A node whose clock is wrong: both say so, and no longer than it is."""

from __future__ import annotations

import sys
from pathlib import Path

from fakes.agents import Agent, pair
from fakes.eventually import eventually

DAY = 86_400


def said(agent: Agent) -> str:
    """The problem `clock` of the node; "" for none."""
    status = eventually(agent.seen)
    return next((str(one["message"]) for one in status["problems"] if one["code"] == "clock"), "")


def test_a_clock_that_is_a_day_ahead_is_said_on_both_nodes(tmp_path: Path) -> None:
    """Also when it is set while the agents run; it ends when the clock is right. Everything replicates meanwhile, and a change of
    role is refused but by force."""
    shift = tmp_path / "shift"
    shift.write_text("0")
    with pair('[dataset.hooks]\nstart = "none"\nstop = "none"\n') as both:
        both.beta.program = (sys.executable, "-m", "tests.fakes.shifted_agent", str(shift))
        (both.source / "file").write_text("1")
        both.begin()
        assert ("", "") == (said(both.alpha), said(both.beta))
        shift.write_text(str(DAY))
        eventually(lambda: said(both.alpha) and said(both.beta))
        assert (True, True) == ("beta is about 1 day 0 h ahead" in said(both.alpha), "alpha is" in said(both.beta))
        assert 1 == both.alpha.run("check").returncode
        (both.source / "file").write_text("2")
        both.mirror()
        refused = both.alpha.run("switchover", "web", "--yes")
        assert (3, True) == (refused.returncode, "clock: " in refused.stderr), refused.stderr
        both.alpha.json("switchover", "web", "--force", "--yes")
        (both.target / "file").write_text("3")
        both.beta.wait()
        assert "3" == (both.source / "file").read_text()
        shift.write_text("0")
        eventually(lambda: not said(both.alpha) and not said(both.beta))
