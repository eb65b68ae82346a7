"""Agents that are stopped (SIGSTOP) in a step of a change of role and continued, while another was promoted or nobody did
anything: never two that serve in one epoch, and one serves in the end.

`make test` runs a share; `make soak PART=role-stops` each step, for a minute."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.roles.rejoin.steps import TABLE as REJOIN_TABLE
from agent.roles.switchover.steps import TABLE
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.trees import differences

SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
_A_MINUTE = 60.0
_WHEN = ("begun", "acted")
#: Up to the hand-over, and right behind it.
_OFTEN = [("compare", "acted"), ("hand-over", "acted")]
PASSED = [(one.name, when) for one in TABLE[:9] for when in _WHEN] if SOAK else _OFTEN
REJOINED = [(one.name, when) for one in REJOIN_TABLE for when in _WHEN]


@contextmanager
def _filled() -> Iterator[Pair]:
    with pair(UNBRAKED + HOOKS) as both:
        for number in range(10):
            (both.source / f"f{number}").write_text(f"first {number}")
        both.begin()
        yield both


def _stops_in(agent: Agent, kind: str, step: str, when: str) -> None:
    """From now on it stands still there, once."""
    usual = agent.program
    agent.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{kind}:{step}:{when}:STOP")
    agent.restart()
    agent.program = usual


def _serving(both: Pair) -> list[tuple[str, int]]:
    looks = {agent.name: agent.look() for agent in both.agents}
    return [(name, look["epoch"]) for name, look in looks.items() if look.get("serving")]


def _one_serves(both: Pair) -> Agent:
    """The only one that does, in the end; the other follows it."""
    found = eventually(lambda: _settled(both), 90)
    other = next(agent for agent in both.agents if agent is not found)
    if other.look()["role"] == "fenced":
        assert 0 == other.run("rejoin", "web", "--yes").returncode
    tree = both.source if found is both.alpha else both.target
    (tree / "after").write_text(found.name)
    eventually(lambda: [] == differences(str(both.source), str(both.target)), 60)
    return found


def _settled(both: Pair) -> Agent | None:
    looks = {agent: agent.look() for agent in both.agents}
    if any(look.get("moving") for look in looks.values()):
        return None
    found = [agent for agent, look in looks.items() if look.get("serving")]
    others = [look for agent, look in looks.items() if agent not in found]
    rests = [look for look in others if look.get("role") in ("fenced", "standby")]
    return found[0] if len(found) == len(rests) == 1 else None


@pytest.mark.parametrize(("step", "when"), PASSED)
def test_its_standby_was_promoted_meanwhile(step: str, when: str) -> None:
    """The old primary stands still in a switchover, and is passed by force: continued, it is no primary of any epoch that the
    other has, and nothing that was written is missing."""
    with _filled() as both:
        _stops_in(both.alpha, "switchover", step, when)
        both.alpha.connected()
        typed = both.alpha.typed("switchover", "web", "--yes")
        both.alpha.stands_still()
        both.beta.json("promote", "web", "--force", "--yes")
        (both.target / "of beta").write_text("of beta")
        both.alpha.go_on()
        typed.wait(150)
        assert ("beta", 2) in _serving(both)
        assert both.beta is _one_serves(both)
        assert "of beta" == (both.source / "of beta").read_text()


@pytest.mark.skipif(not SOAK, reason="a minute each: make soak PART=role-stops")
@pytest.mark.parametrize(("step", "when"), PASSED)
def test_it_stood_still_for_a_minute_in_a_switchover(step: str, when: str) -> None:
    """Longer than anybody waits for it: in the end one serves, whichever, and all is there."""
    with _filled() as both:
        _stops_in(both.alpha, "switchover", step, when)
        both.alpha.connected()
        typed = both.alpha.typed("switchover", "web", "--yes")
        both.alpha.stands_still()
        time.sleep(_A_MINUTE)
        both.alpha.go_on()
        typed.wait(300)
        _one_serves(both)


@pytest.mark.skipif(not SOAK, reason="a minute each: make soak PART=role-stops")
@pytest.mark.parametrize(("step", "when"), REJOINED)
def test_it_stood_still_for_a_minute_in_a_rejoin(step: str, when: str) -> None:
    """It is a standby in the end, equal, and what it alone had is kept once."""
    with _filled() as both:
        both.alpha.kill()
        (both.source / "only alpha").write_text("never sent")
        both.beta.json("promote", "web", "--force", "--yes")
        both.alpha.start()
        _stops_in(both.alpha, "rejoin", step, when)
        both.alpha.told("fenced")
        typed = both.alpha.typed("rejoin", "web", "--yes")
        both.alpha.stands_still()
        time.sleep(_A_MINUTE)
        both.alpha.go_on()
        typed.wait(300)
        assert both.beta is _one_serves(both)
        listed = both.alpha.json("generations", "list", "web")
        assert ["divergence"] == [one["label"] for one in listed if one["node"] == "alpha" and one["label"]]
