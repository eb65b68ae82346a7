"""Agents that are stopped (SIGSTOP) in a step of a change of role and continued, while another was promoted, came back, or
noticed it, or nobody did anything: never two that serve in one epoch, and one serves in the end.

`make test` runs a share; `make soak PART=role-stops` each step, for a minute."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.node.promoting.world import FRESH
from agent.roles.promotion.steps import TABLE as PROMOTION_TABLE
from agent.roles.rejoin.steps import TABLE as REJOIN_TABLE
from agent.roles.switchover.steps import TABLE
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.hook_log import HookLog
from fakes.promotable import lacks_only
from fakes.proxy import proxy
from fakes.trees import differences

SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
_A_MINUTE = 60.0
_WHEN = ("begun", "acted")
#: Up to the hand-over, and right behind it.
_OFTEN = [("compare", "acted"), ("hand-over", "acted")]
PASSED = [(one.name, when) for one in TABLE[:9] for when in _WHEN] if SOAK else _OFTEN
REJOINED = [(one.name, when) for one in REJOIN_TABLE for when in _WHEN]
#: Of a promotion: before and behind what is durable for good.
PROMOTED = (
    [(one.name, when) for one in PROMOTION_TABLE for when in _WHEN] + [("role", "unrecorded"), ("role", "recorded")]
    if SOAK
    else [("role", "unrecorded"), ("role", "recorded"), ("start", "begun")]
)
#: Of a switchover: before the record of the hand-over, between that and the word of it, and with the other node at it.
_ROUND_HAND_OVER = [
    ("barrier", "begun"),
    ("hand-over", "unrecorded"),
    ("hand-over", "recorded"),
    ("take-over", "begun"),
]
_OF_ALL = [(one.name, when) for one in TABLE for when in _WHEN] + _ROUND_HAND_OVER[1:3]
GIVEN = _OF_ALL if SOAK else _ROUND_HAND_OVER


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


def _stops_from_the_first(agent: Agent, kind: str, step: str, when: str) -> None:
    """It does not run yet, and will stand still there, once."""
    agent.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{kind}:{step}:{when}:STOP")


def _begun(both: Pair, log: HookLog) -> None:
    for number in range(10):
        (both.source / f"f{number}").write_text(f"first {number}")
    both.begin()
    eventually(lambda: ["alpha start 1"] == log.ran())


def _restored(agent: Agent, generation: str, to: Path) -> Path:
    eventually(lambda: agent.look()["seeding"] is False)
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return to


@pytest.mark.parametrize(("step", "when"), PROMOTED)
def test_who_is_promoted_stands_still_while_the_primary_comes_back(step: str, when: str) -> None:
    """It is heard of by nobody, so the primary is unconfirmed, and serves by an operator's word. Continued, the promotion ends in
    an epoch of its own; the old primary is fenced, its application ended, and what it wrote meanwhile is kept."""
    with pair(UNBRAKED) as both:
        log = HookLog(both)
        _stops_from_the_first(both.beta, "promotion", step, when)
        _begun(both, log)
        both.alpha.kill()
        typed = both.beta.typed("promote", "web", "--force", "--yes")
        both.beta.stands_still()
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: "unconfirmed" == both.alpha.look().get("state"))
        assert (False, 1) == (both.alpha.look()["serving"], both.alpha.look()["epoch"])
        assert 1 == log.ran().count("alpha start 1")
        both.alpha.json("serve", "web", "--alone", "--yes")
        eventually(lambda: 2 == log.ran().count("alpha start 1"))
        (both.source / "meanwhile").write_text("of alpha")
        both.beta.go_on()
        assert 0 == typed.wait(90)
        assert "hikae rejoin web" in both.alpha.told("fenced", "beta was made the primary, in epoch 2")["remedy"]
        assert [("beta", 2)] == _serving(both)
        assert both.beta is _one_serves(both)
        assert {1: {"alpha"}, 2: {"beta"}} == log.started()
        assert ["alpha on_fenced 1"] == log.ran("on_fenced")
        kept = both.target / "meanwhile"
        assert (
            "of alpha"
            == (
                kept if kept.exists() else _restored(both.alpha, "divergence", both.base / "back") / "meanwhile"
            ).read_text()
        )


def test_who_is_promoted_finds_the_primary_serving() -> None:
    """Nobody forced it, and it stood still before the epoch was raised: it is refused, and stays what it was."""
    with pair(UNBRAKED) as both:
        log = HookLog(both)
        _stops_from_the_first(both.beta, "promotion", "moment", "acted")
        _begun(both, log)
        lacks_only(both.beta, "primary")
        both.alpha.kill()
        both.beta.connected(False)
        typed = both.beta.typed("promote", "web", "--yes")
        both.beta.stands_still()
        stands_since = time.monotonic()
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: "unconfirmed" == both.alpha.look().get("state"))
        # Who was asked a moment ago has half a second to answer, and alpha has just begun.
        eventually(lambda: time.monotonic() - stands_since > FRESH)
        both.beta.go_on()
        said, _ = typed.communicate(timeout=90)
        assert (3, True) == (typed.returncode, "primary: alpha " in said), said
        assert both.alpha is _one_serves(both)
        assert [("primary", 1), ("standby", 1)] == [(one.look()["role"], one.look()["epoch"]) for one in both.agents]
        assert {1: {"alpha"}} == log.started()


@pytest.mark.parametrize(("step", "when"), GIVEN)
def test_who_hands_over_stands_still_until_the_other_has_lost_it(step: str, when: str) -> None:
    """Its connections end meanwhile, as they do where nobody answers. Continued, the switchover ends: the new primary serves, or
    before the hand-over the old one again, as the command says; nothing is lost."""
    with pair(UNBRAKED) as both, proxy(both.beta.port) as there, proxy(both.alpha.port) as back:
        both.reach_beta_through(there.port)
        both.reach_through("beta", "alpha", back.port)
        log = HookLog(both)
        _stops_from_the_first(both.alpha, "switchover", step, when)
        _begun(both, log)
        (both.source / "last").write_text("of alpha")
        typed = both.alpha.typed("switchover", "web", "--yes")
        both.alpha.stands_still()
        for link in (there, back):
            link.cut()
        both.beta.connected(False)
        look, at = both.beta.look(), [one.name for one in TABLE].index
        is_taken = (at(step), when) > (at("take-over"), "") and (step, when) != ("take-over", "begun")
        assert (("primary", True) if is_taken else ("standby", False)) == (look["role"], look["serving"])
        both.alpha.go_on()
        said, _ = typed.communicate(timeout=120)
        serves = _one_serves(both)
        assert (typed.returncode == 0) is (serves is both.beta), said
        assert {1: {"alpha"}} | ({2: {"beta"}} if serves is both.beta else {}) == log.started()
        assert "of alpha" == (both.target / "last").read_text() == (both.source / "last").read_text()
        assert 12 == len([path for path in both.source.iterdir() if path.name != ".hikae"])
