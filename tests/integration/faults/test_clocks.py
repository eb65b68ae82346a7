"""A node whose clock is wrong: both say so, and no longer than it is."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from agent import pki
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.hook_log import HookLog
from fakes.promotable import lacks_only
from fakes.trees import differences

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


def _certified_days_ago(both: Pair) -> None:
    """As those of nodes that run for a while: of today's a clock that is a day behind says that they are not valid yet."""
    both.keys = both.base / "older"
    then = time.time_ns() - 3 * DAY * 10**9
    pki.init(str(both.keys), then)
    for agent in both.agents:
        pki.issue(agent.name, str(both.keys), ["127.0.0.1"], now_ns=then)
        both.hand_out(agent)


@pytest.mark.parametrize(
    ("shifted", "of_alpha", "of_beta"), [(DAY, "behind", "ahead of"), (-DAY, "ahead of", "behind")]
)
def test_roles_change_between_clocks_a_day_apart(shifted: int, of_alpha: str, of_beta: str, tmp_path: Path) -> None:
    """A promotion is refused by its gate, also when the primary is dead, and is done by force; the old primary rejoins. Both say
    before and after how far they are apart, and the application is never begun on two nodes in one epoch."""
    shift = tmp_path / "shift"
    shift.write_text(str(shifted))
    says_alpha = f"the clock of beta is about 1 day 0 h {of_beta} this node's"
    says_beta = f"the clock of alpha is about 1 day 0 h {of_alpha} this node's"
    with pair(UNBRAKED) as both:
        log = HookLog(both)
        _certified_days_ago(both)
        both.beta.program = (sys.executable, "-m", "tests.fakes.shifted_agent", str(shift))
        (both.source / "file").write_text("1")
        both.begin()
        eventually(lambda: (says_alpha, says_beta) == (said(both.alpha), said(both.beta)))
        eventually(lambda: ["alpha start 1"] == log.ran("start"))
        lacks_only(both.beta, "primary", "clock")
        both.alpha.kill()
        both.beta.connected(False)
        (both.source / "only alpha").write_text("never sent")
        refused = both.beta.run("promote", "web", "--yes", "--json")
        gates = {one["name"]: one for one in json.loads(refused.stdout)["gates"]}
        clock = gates["clock"]
        assert (3, ["clock"]) == (refused.returncode, [name for name, one in gates.items() if not one["ok"]])
        assert (says_beta, "within a minute") == (clock["value"], clock["limit"])
        assert (True, True) == (bool(clock["measured"]), "timedatectl" in clock["remedy"])
        assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
        assert 2 == both.beta.json("promote", "web", "--force", "--yes")["epoch"]
        assert says_beta == said(both.beta)
        (both.target / "of beta").write_text("2")
        both.alpha.start()
        assert "hikae rejoin web" in both.alpha.told("fenced")["remedy"]
        assert ["only alpha"] == both.alpha.json("rejoin", "web", "--yes")["lost"]
        both.beta.wait()
        assert [] == differences(str(both.source), str(both.target))
        eventually(lambda: both.alpha.look()["seeding"] is False)
        to = both.base / "back"
        assert 0 == both.alpha.run("restore", "web", "--generation", "divergence", "--to", str(to)).returncode
        assert "never sent" == (to / "only alpha").read_text()
        eventually(lambda: (says_alpha, says_beta) == (said(both.alpha), said(both.beta)))
        assert {1: {"alpha"}, 2: {"beta"}} == log.started()
