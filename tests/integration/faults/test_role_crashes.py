"""An agent that is killed before and after each step of a change of role: each ends in a named state, and finishes by itself or
by the command that is told; the application runs nowhere where another may be the primary.

`make test` runs a share; `make soak PART=role-crashes` all.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.roles.promotion.steps import KIND as PROMOTION
from agent.roles.promotion.steps import TABLE as PROMOTION_TABLE
from agent.roles.rehearsal.steps import KIND as REHEARSAL
from agent.roles.rehearsal.steps import TABLE as REHEARSAL_TABLE
from agent.roles.rejoin.steps import KIND as REJOIN
from agent.roles.rejoin.steps import TABLE as REJOIN_TABLE
from agent.roles.switchover.steps import KIND as SWITCHOVER
from agent.roles.switchover.taking_over import KIND as TAKE_OVER
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.hook_log import HookLog
from fakes.trees import differences, snapshot

SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
SEED = 20261130
_AROUND = ("begun", "acted")
_OF_ROLE = ("unrecorded", "recorded")


def _all(names: list[str]) -> list[tuple[str, str]]:
    return [(name, when) for name in names for when in (_AROUND if name != "role" else (*_AROUND, *_OF_ROLE))]


PROMOTED = _all([one.name for one in PROMOTION_TABLE]) if SOAK else [("role", "recorded"), ("start", "begun")]
REJOINED = _all([one.name for one in REJOIN_TABLE]) if SOAK else [("role", "unrecorded"), ("role", "recorded")]
BETWEEN = [("role", "begun"), *([("divergence", "acted"), ("role", "unrecorded")] if SOAK else [])]
REHEARSED = _all([one.name for one in REHEARSAL_TABLE]) if SOAK else [("probe", "acted"), ("clear", "begun")]


@contextmanager
def _filled(extra: str = "") -> Iterator[tuple[Pair, HookLog]]:
    with pair(UNBRAKED) as both:
        log = HookLog(both, extra)
        (both.source / "d").mkdir()
        for number in range(30):
            (both.source / "d" / f"f{number}").write_text(f"first {number}")
        both.begin()
        eventually(lambda: ["alpha start 1"] == log.ran())
        log.clear()
        yield both, log


def _dies_in(agent: Agent, kind: str, step: str, when: str) -> None:
    """From now on it is killed there, once."""
    usual = agent.program
    agent.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{kind}:{step}:{when}")
    agent.restart()
    agent.connected()
    agent.program = usual


def _again(agent: Agent) -> None:
    """It was killed, and is started as usual."""
    agent.ended(60)
    agent.start()
    agent.up()


def _tree(path: Path) -> dict[bytes, object]:
    return {name: seen for name, seen in snapshot(str(path)).items() if not name.startswith(b".hikae") and name}


def _restored(agent: Agent, generation: str, to: Path) -> dict[bytes, object]:
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return _tree(to)


def _is_equal(both: Pair, primary: Agent) -> None:
    """The standby follows, in everything."""
    tree = both.source if primary is both.alpha else both.target
    (tree / "after").write_text(primary.name)
    primary.wait()
    assert [] == differences(str(both.source), str(both.target))


def _promoted_at_last(both: Pair, log: HookLog) -> None:
    """Beta is the primary, by itself or by the word that its status asks for, and its application was begun once it may be."""
    record = both.home(both.beta) / "promotion.json"
    eventually(lambda: not record.exists() or "unconfirmed" == both.beta.look().get("state"), 60)
    if both.beta.look()["state"] == "unconfirmed":
        assert [] == log.ran("start", "after_promote")
        both.beta.json("serve", "web", "--alone", "--yes")
        eventually(lambda: not record.exists())
    if both.beta.look()["role"] == "standby":
        both.beta.json("promote", "web", "--force", "--yes")
    eventually(lambda: both.beta.look().get("serving"))
    eventually(lambda: {"beta start 2", "beta after_promote 2"} == set(log.ran("start", "after_promote")))


@pytest.mark.parametrize(("step", "when"), PROMOTED)
def test_a_node_that_is_promoted_is_killed(step: str, when: str) -> None:
    """Back it goes on; where it may serve is asked for anew; the old primary rejoins, and both histories restore."""
    with _filled() as (both, log):
        _dies_in(both.beta, PROMOTION, step, when)
        both.alpha.kill()
        (both.source / "only alpha").write_text("never sent")
        (both.source / "d" / "f0").write_text("of alpha")
        stood, had = _tree(both.source), _tree(both.target)
        typed = both.beta.typed("promote", "web", "--force", "--yes")
        _again(both.beta)
        typed.wait(60)
        log.clear()
        _promoted_at_last(both, log)
        steps = both.beta.json("roles", "web")[-1]["steps"]
        before = next(one["result"] for one in steps if one["name"] == "generation")
        assert had == _restored(both.beta, before, both.base / "before")
        log.clear()
        both.alpha.start()
        both.alpha.up()
        # Within the second of the fencing, where that is quick: what ends the application has run all the same.
        both.alpha.json("rejoin", "web", "--yes")
        eventually(lambda: both.alpha.look()["seeding"] is False)
        assert stood == _restored(both.alpha, "divergence", both.base / "back")
        _is_equal(both, both.beta)
        assert ["alpha on_fenced 1", "alpha after_demote 2"] == log.ran()


def _parted(both: Pair) -> dict[bytes, object]:
    """Beta serves, and alpha is back with a tree of its own, fenced; its tree."""
    both.alpha.kill()
    (both.source / "only alpha").write_text("never sent")
    (both.source / "d" / "f0").write_text("of alpha")
    stood = _tree(both.source)
    both.beta.json("promote", "web", "--force", "--yes")
    (both.target / "only beta").write_bytes(random.Random(SEED).randbytes(100_000))
    (both.target / "d" / "f1").unlink()
    return stood


@pytest.mark.parametrize(("step", "when"), REJOINED)
def test_a_node_that_rejoins_is_killed(step: str, when: str) -> None:
    """Back it goes on until it is a standby, equal; what it alone had is kept once, and the application is begun nowhere."""
    with _filled() as (both, log):
        stood = _parted(both)
        both.alpha.program, usual = (
            (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{REJOIN}:{step}:{when}"),
            both.alpha.program,
        )
        both.alpha.start()
        both.alpha.up()
        both.alpha.program = usual
        both.alpha.told("fenced")
        log.clear()
        typed = both.alpha.typed("rejoin", "web", "--yes")
        _again(both.alpha)
        typed.wait(60)
        eventually(lambda: not (both.home(both.alpha) / "rejoin.json").exists(), 90)
        eventually(lambda: "standby" == both.alpha.look().get("role"), 60)
        _is_equal(both, both.beta)
        eventually(lambda: both.alpha.look()["seeding"] is False)
        listed = both.alpha.json("generations", "list", "web")
        assert ["divergence"] == [one["label"] for one in listed if one["node"] == "alpha"]
        assert stood == _restored(both.alpha, "divergence", both.base / "back")
        assert [] == log.ran("start", "after_promote")


@pytest.mark.parametrize(("step", "when"), BETWEEN)
def test_a_node_that_is_killed_between_its_divergence_and_its_role_and_comes_back_alone(step: str, when: str) -> None:
    """It is a standby by itself, though the new primary is dead: nothing is begun before an operator promotes it, which leads
    out once it has waited for that; what it alone had is kept once."""
    with _filled() as (both, log):
        stood = _parted(both)
        both.alpha.program, usual = (
            (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{REJOIN}:{step}:{when}"),
            both.alpha.program,
        )
        both.alpha.start()
        both.alpha.up()
        both.alpha.program = usual
        both.alpha.told("fenced")
        log.clear()
        typed = both.alpha.typed("rejoin", "web", "--yes")
        both.alpha.ended(60)
        both.beta.kill()
        both.alpha.start()
        both.alpha.up()
        typed.wait(60)
        eventually(lambda: "standby" == both.alpha.look().get("role"), 60)
        look = eventually(lambda: _whole(both.alpha))
        assert (False, [], 1) == (look["serving"], log.ran("start", "after_promote"), len(_divergences(both)))
        assert stood == _restored(both.alpha, "divergence", both.base / "back")
        if not SOAK:
            return  # the new primary is waited for for a minute
        eventually(lambda: not (both.home(both.alpha) / "rejoin.json").exists(), 90)
        both.alpha.json("promote", "web", "--force", "--yes")
        eventually(lambda: both.alpha.look().get("serving"), 60)
        assert {"alpha start 3", "alpha after_promote 3"} == set(log.ran("start", "after_promote"))


def _whole(agent: Agent) -> dict[str, Any] | None:
    """What it says once it is open and its vault is filled."""
    look = agent.look()
    return look if look["epoch"] and look["seeding"] is False else None


def _divergences(both: Pair) -> list[str]:
    """What alpha keeps of what it alone had."""
    listed = both.alpha.json("generations", "list", "web")
    return [one["generation"] for one in listed if one["node"] == "alpha" and one["label"].startswith("divergence")]


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
@pytest.mark.parametrize(("step", "when"), REHEARSED)
def test_a_node_that_rehearses_is_killed(step: str, when: str) -> None:
    """Back it clears away what is left, goes on to apply, and rehearses when that is typed again."""
    probe = 'probe = ["sh", "-c", "cd $HIKAE_PATH && rm d/f0 && echo gone"]\n'
    with _filled(probe) as (both, _):
        _dies_in(both.beta, REHEARSAL, step, when)
        eventually(lambda: all(one["ok"] for one in both.beta.json("rehearse", "web", "--dry-run")["gates"]))
        typed = both.beta.typed("rehearse", "web")
        (both.source / "d" / "f1").write_text("meanwhile")
        _again(both.beta)
        typed.wait(60)
        eventually(lambda: not (both.home(both.beta) / "rehearsal.json").exists(), 60)
        _is_equal(both, both.alpha)
        assert [] == [one.name for one in both.home(both.beta).iterdir() if one.name.startswith("rehearsal.")]
        assert str(both.base) not in Path("/proc/self/mountinfo").read_text().replace(str(both.base) + " ", "")
        assert both.beta.json("rehearse", "web")["ok"] is True
        assert [] == differences(str(both.source), str(both.target))


def test_a_primary_that_was_superseded_in_a_switchover_begins_nothing() -> None:
    """It was killed with the application stopped, and its standby promoted: back, it is fenced, and the switchover ends."""
    with _filled() as (both, log):
        _dies_in(both.alpha, SWITCHOVER, "compare", "begun")
        both.alpha.run("switchover", "web", "--yes")
        both.alpha.ended()
        both.beta.json("promote", "web", "--force", "--yes")
        log.clear()
        both.alpha.start()
        both.alpha.up()
        both.alpha.told("fenced")
        eventually(lambda: not (both.home(both.alpha) / "switchover.json").exists(), 60)
        eventually(lambda: ["alpha on_fenced 1"] == log.ran())


def test_a_node_that_took_over_begins_nothing_unconfirmed() -> None:
    """It was killed before it served, and the other promoted past it: back and alone, it waits for a word, and then goes on."""
    with _filled() as (both, log):
        _dies_in(both.beta, TAKE_OVER, "start", "begun")
        typed = both.alpha.typed("switchover", "web", "--yes")
        both.beta.ended(60)
        both.alpha.kill()
        typed.wait(60)
        log.clear()
        both.beta.start()
        both.beta.up()
        both.beta.told("unconfirmed")
        assert [] == log.ran()
        done = both.beta.json("serve", "web", "--alone", "--yes")
        assert (["alpha"], "unconfirmed") == (done["silent"], done["was"])
        eventually(lambda: ["beta start 2", "beta after_promote 2"] == log.ran())
        both.alpha.start()
        both.alpha.up()
        _is_equal(both, both.beta)
