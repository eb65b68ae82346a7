"""Power cuts in the middle of a promotion and of a rejoin: tree and state of the node are what the disk had at that instant. Each
ends in a named state, and the next command finishes; both histories restore, and nobody serves in an epoch of another.

`make test` runs a share; `make soak PART=role-cuts` a hundred of each.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.roles.promotion.steps import TABLE as PROMOTION_TABLE
from agent.roles.rejoin.steps import TABLE as REJOIN_TABLE
from fakes.agents import REPOSITORY, UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.hook_log import HookLog
from fakes.loop_image import Disk, can_mount, disk
from fakes.trees import differences, snapshot

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices"),
    pytest.mark.timeout(900),
]

CUTS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) or 2
MEBIBYTES = 448
PROMOTED, REJOINED = ([one.name for one in table] for table in (PROMOTION_TABLE, REJOIN_TABLE))
#: Seconds after the beginning of a step within which the power goes: some of those are over by then.
SOON = 0.03
#: The vault is filled, and what came is applied, for so long after a rejoin.
LATER = 0.6


@dataclass(frozen=True, slots=True)
class Machine:
    """A pair; all that ``cut`` has, tree and state, is on one disk."""

    both: Pair
    cut: Agent
    disk: Disk
    log: HookLog

    def lose_power(self) -> None:
        """What is on the disk at this instant is all that the node is started with."""
        self.cut.stand_still()
        self.disk.freeze_frame()
        self.cut.kill()
        self.disk.power_cut()

    def back(self) -> None:
        """It is started again."""
        self.cut.start()
        self.cut.up()


@contextmanager
def machine(base: Path, name: str, rng: random.Random) -> Iterator[Machine]:
    """Running and equal; ``name``: the node whose power goes."""
    base.mkdir()
    with disk(base, MEBIBYTES) as made:
        tree = made.root / "tree"
        tree.mkdir()
        # Any: as ``pair`` takes it
        places: dict[str, Any] = {"source" if name == "alpha" else "standby": tree}
        with pair(UNBRAKED, states={name: made.root / "state"}, **places) as both:
            log = HookLog(both)
            _fill(both.source, rng)
            both.begin()
            yield Machine(both, both.alpha if name == "alpha" else both.beta, made, log)


def _fill(tree: Path, rng: random.Random) -> None:
    for number in range(60):
        path = tree / f"d{number % 6}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice([0, 100, 20_000])))
    (tree / "large").write_bytes(rng.randbytes(3 << 20))


def _change(tree: Path, rng: random.Random, whose: str) -> None:
    """Files of its own, some that both have, some that move and go."""
    for number in rng.sample(range(60), 20):
        path = tree / f"d{number % 6}" / f"f{number}"
        if path.exists():
            path.write_bytes(f"of {whose}".encode() + rng.randbytes(15_000))
    (tree / f"only {whose}").write_bytes(rng.randbytes(200_000))
    for number in rng.sample(range(60), 3):
        (tree / f"d{number % 6}" / f"f{number}").unlink(missing_ok=True)
    (tree / "d2").rename(tree / f"moved by {whose}")
    with (tree / "large").open("r+b") as file:
        file.seek(rng.randrange(2 << 20))
        file.write(rng.randbytes(50_000))


def _tree(path: Path) -> dict[bytes, object]:
    return {name: seen for name, seen in snapshot(str(path)).items() if not name.startswith(b".hikae") and name}


def _restored(agent: Agent, generation: str, to: Path) -> dict[bytes, object]:
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return _tree(to)


def _typed(agent: Agent, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*agent.program, "--config", str(agent.config), *words],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _cut_in(one: Machine, command: tuple[str, ...], record: str, step: str, after: float) -> None:
    """Type a command, and let the power go so many seconds after it began that step, or was through."""
    typed, path = _typed(one.cut, *command), one.both.home(one.cut) / record
    never = threading.Event()
    while typed.poll() is None and not _is_at(path, step):
        never.wait(0.001)
    never.wait(after)
    one.lose_power()
    typed.wait(60)
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
    assert stood == _restored(both.alpha, "divergence", to)


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
            _change(both.source, rng, "alpha")
            both.alpha.wait(rng.choice(["durable", "applied"]))
            both.alpha.kill()
            had = _tree(both.source)
            (both.source / "never sent").write_text("alpha alone")
            _cut_in(one, ("promote", "web", "--force", "--yes"), "promotion.json", step, after)
            _serves(one, both.beta, "promotion.json")
            assert had == _tree(both.target)
            assert 2 == both.beta.look()["epoch"]
            stood = _tree(both.source)
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
            _change(both.source, rng, "alpha")
            os.sync()
            stood = _tree(both.source)
            both.beta.json("promote", "web", "--force", "--yes")
            _change(both.target, rng, "beta")
            both.beta.json("reconcile", "web")
            one.back()
            both.alpha.told("fenced")
            one.log.clear()
            _cut_in(one, ("rejoin", "web", "--yes"), "rejoin.json", step, after)
            _follows(both, both.base / "back", stood)
            assert [] == one.log.ran("start", "after_promote")

    _each(rng, REJOINED, cut, LATER)
