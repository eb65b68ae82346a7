"""Power cuts in the middle of a promotion and of a rejoin: tree and state of the node are what the disk had at that instant. Each
ends in a named state, and the next command finishes; both histories restore, and nobody serves in an epoch of another.

`make test` runs a share; `make soak PART=role-cuts` a hundred of each.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.roles.promotion.steps import TABLE as PROMOTION_TABLE
from agent.roles.rejoin.steps import TABLE as REJOIN_TABLE
from fakes.agents import Agent, Pair
from fakes.cut_machine import Machine, change, machine, restored, tree_of, typed
from fakes.eventually import eventually
from fakes.loop_image import can_mount
from fakes.trees import differences

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices"),
    pytest.mark.timeout(900),
]

CUTS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) or 2
PROMOTED, REJOINED = ([one.name for one in table] for table in (PROMOTION_TABLE, REJOIN_TABLE))
#: Seconds after the beginning of a step within which the power goes: some of those are over by then.
SOON = 0.03
#: The vault is filled, and what came is applied, for so long after a rejoin.
LATER = 0.6


def _cut_in(one: Machine, command: tuple[str, ...], record: str, step: str, after: float) -> None:
    """Type a command, and let the power go so many seconds after it began that step, or was through."""
    begun, path = typed(one.cut, *command), one.both.home(one.cut) / record
    never = threading.Event()
    while begun.poll() is None and not _is_at(path, step):
        never.wait(0.001)
    never.wait(after)
    one.lose_power()
    begun.wait(60)
    one.back()


def _is_at(record: Path, step: str) -> bool:
    try:
        found = json.loads(record.read_text())
    except (OSError, ValueError):
        return False
    return found["doing"] == step or step in {done["name"] for done in found["done"]}


def _serves(one: Machine, agent: Agent, record: str) -> None:
    """By itself, or by the command that its status names."""
    path = one.both.home(agent) / record
    eventually(lambda: not path.exists() or agent.look().get("state") == "unconfirmed", 90)
    eventually(lambda: agent.look().get("epoch"))
    if agent.look()["state"] == "unconfirmed":
        agent.json("serve", "web", "--alone", "--yes")
        eventually(lambda: not path.exists())
    if agent.look()["role"] == "standby":
        agent.json("promote", "web", "--force", "--yes")
    eventually(lambda: agent.look().get("serving"))


def _follows(both: Pair, to: Path, stood: dict[bytes, object]) -> None:
    """Alpha is beta's standby at last, equal to it, and what it alone had is kept."""
    eventually(lambda: not (both.home(both.alpha) / "rejoin.json").exists(), 90)
    if both.alpha.look()["role"] != "standby":
        both.alpha.told("fenced")
        both.alpha.json("rejoin", "web", "--yes")
    (both.target / "after").write_text("of beta")
    both.beta.wait()
    # What stood before this node changed it is asked for behind the commit.
    eventually(lambda: both.alpha.look().get("owed") == 0)
    assert [] == differences(str(both.source), str(both.target))
    eventually(lambda: both.alpha.look()["seeding"] is False)
    assert stood == restored(both.alpha, "divergence", to)


def _each(rng: random.Random, steps: list[str], show: Callable[[int, str, float], None], late: float) -> None:
    for number in range(CUTS):
        step = rng.choice(steps)
        after = rng.random() * (late if step == steps[-1] else SOON)
        print(f"cut {number}: {after * 1000:.0f} ms after {step}")
        show(number, step, after)


def test_a_node_that_is_promoted_loses_its_power(tmpfs_dir: Path, rng: random.Random) -> None:
    """What it had acknowledged stands there when it serves; the old primary is fenced, rejoins, and both histories restore."""

    def cut(number: int, step: str, after: float) -> None:
        with machine(tmpfs_dir / f"{number}", "beta", rng) as one:
            both = one.both
            change(both.source, rng, "alpha")
            both.alpha.wait(rng.choice(["durable", "applied"]))
            both.alpha.kill()
            had = tree_of(both.source)
            (both.source / "never sent").write_text("alpha alone")
            _cut_in(one, ("promote", "web", "--force", "--yes"), "promotion.json", step, after)
            _serves(one, both.beta, "promotion.json")
            assert had == tree_of(both.target)
            assert 2 == both.beta.look()["epoch"]
            stood = tree_of(both.source)
            both.alpha.start()
            both.alpha.up()
            _follows(both, both.base / "back", stood)
            assert [] == [line for line in one.log.ran("start") if line not in ("alpha start 1", "beta start 2")]

    _each(rng, PROMOTED, cut, SOON)


def test_a_node_that_rejoins_loses_its_power(tmpfs_dir: Path, rng: random.Random) -> None:
    """What it alone had, and had synced, is kept whole; it follows, equal, and its application is begun no more."""

    def cut(number: int, step: str, after: float) -> None:
        with machine(tmpfs_dir / f"{number}", "alpha", rng) as one:
            both = one.both
            both.alpha.kill()
            change(both.source, rng, "alpha")
            os.sync()
            stood = tree_of(both.source)
            both.beta.json("promote", "web", "--force", "--yes")
            change(both.target, rng, "beta")
            both.beta.json("reconcile", "web")
            one.back()
            both.alpha.told("fenced")
            one.log.clear()
            _cut_in(one, ("rejoin", "web", "--yes"), "rejoin.json", step, after)
            _follows(both, both.base / "back", stood)
            assert [] == one.log.ran("start", "after_promote")

    _each(rng, REJOINED, cut, LATER)
