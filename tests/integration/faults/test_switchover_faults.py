"""A switchover that is cut short on either side, at any step: one node serves in the end, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.roles.switchover.steps import KIND, TABLE
from agent.roles.switchover.taking_over import KIND as TAKE_OVER
from agent.roles.switchover.taking_over import TABLE as TAKE_OVER_TABLE
from fakes.agents import REPOSITORY, UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.trees import differences

HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
#: `make soak PART=switchover` takes each of both.
SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
#: What is tried each time: around what is durable for good.
_OFTEN = [("barrier", "begun"), ("hand-over", "begun"), ("hand-over", "acted"), ("take-over", "acted")]
_OFTEN_NEW = [("role", "acted"), ("start", "begun")]
_WHEN = ("begun", "acted")
OLD = [(step.name, when) for step in TABLE for when in _WHEN] if SOAK else _OFTEN
NEW = [(step.name, when) for step in TAKE_OVER_TABLE for when in _WHEN] if SOAK else _OFTEN_NEW


@contextmanager
def _filled() -> Iterator[Pair]:
    with pair(UNBRAKED + HOOKS) as both:
        for number in range(30):
            (both.source / f"f{number}").write_text(f"first {number}")
        both.begin()
        yield both


def _dies_in(agent: Agent, kind: str, step: str, when: str) -> None:
    """From now on it is killed there, once."""
    usual = agent.program
    agent.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{kind}:{step}:{when}")
    agent.restart()
    agent.connected()
    agent.program = usual


def _one_serves(both: Pair) -> Agent:
    """The primary that both agree on, once it streams to the other."""

    def found() -> Agent | None:
        roles = {agent: agent.look() for agent in both.agents}
        primaries = [agent for agent, look in roles.items() if look.get("role") == "primary" and look.get("serving")]
        others = [agent for agent, look in roles.items() if look.get("role") == "standby"]
        if len(primaries) != 1 or len(others) != 1 or both.agents[0].peer(both.agents[1].name)["connected"] is False:
            return None
        return primaries[0]

    return eventually(found, 90)


def _still_equal(both: Pair, primary: Agent) -> None:
    tree = both.source if primary is both.alpha else both.target
    (tree / "after").write_text(primary.name)
    primary.wait()
    assert [] == differences(str(both.source), str(both.target))
    assert 31 == len([path for path in tree.iterdir() if path.name != ".hikae"])


def _go_on(both: Pair, dead: Agent) -> None:
    dead.ended()
    dead.start()
    dead.up()


@pytest.mark.parametrize(("step", "when"), OLD)
def test_the_old_primary_is_killed(step: str, when: str) -> None:
    """Back it goes on where it stood, and the new one serves."""
    with _filled() as both:
        _dies_in(both.alpha, KIND, step, when)
        both.alpha.run("switchover", "web", "--yes")
        _go_on(both, both.alpha)
        eventually(lambda: not (both.home(both.alpha) / "switchover.json").exists(), 90)
        assert both.beta is _one_serves(both)
        _still_equal(both, both.beta)


@pytest.mark.parametrize(("step", "when"), NEW)
def test_the_new_primary_is_killed(step: str, when: str) -> None:
    """Back it goes on where it stood; the old one waits for that, or the next command does."""
    with _filled() as both:
        _dies_in(both.beta, TAKE_OVER, step, when)
        typed = subprocess.Popen(
            [*both.alpha.program, "--config", str(both.alpha.config), "switchover", "web", "--yes"],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _go_on(both, both.beta)
        assert 0 == typed.wait(90)
        assert both.beta is _one_serves(both)
        _still_equal(both, both.beta)


def test_a_place_that_nobody_took_is_told_until_it_is_taken() -> None:
    """The new primary is gone before it took it: the old one says so, also after a restart, and ends it by the same command."""
    with _filled() as both:
        _dies_in(both.beta, TAKE_OVER, "role", "begun")
        typed = subprocess.Popen(
            [*both.alpha.program, "--config", str(both.alpha.config), "switchover", "web", "--yes"],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        both.beta.ended()
        # As after a power cut that took the record of its steps back.
        (both.home(both.beta) / "take-over.json").unlink()
        both.alpha.told("handed-over", "unless beta serves it, nobody does")
        both.alpha.kill()
        typed.wait(60)
        (both.home(both.alpha) / "switchover.json").unlink()
        both.alpha.start()
        both.alpha.told("handed-over", "was handed over to beta")
        both.beta.start()
        both.beta.up()
        assert 0 == both.alpha.run("switchover", "web", "--yes").returncode
        assert both.beta is _one_serves(both)
        both.alpha.cleared("handed-over", "switchover-failed")
        _still_equal(both, both.beta)
