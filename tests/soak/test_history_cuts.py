"""Kills and power cuts in the middle of what is done with history: nothing that is kept is damaged, and the next run finishes.

`make test` runs a share of the cuts; `make soak PART=history-cuts` a hundred cuts, `PART=history-kills` five hundred kills.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agent.core.errors import Exit
from fakes.cut_machine import Machine, machine, restored, tree_of, typed
from fakes.eventually import eventually
from fakes.loop_image import can_mount
from fakes.storm import SystemCallStorm

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
#: Of each of the three tests.
ROUNDS = SEEDS or 1
#: Seconds within which a command is cut off that was typed: it takes half a second to begin.
SOON = 1.5
KEPT = 4
RULES = f'[dataset.generations]\nschedule = "none"\nkeep = {{ last = {KEPT} }}\nimmutable_for = "1s"\n'

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices"),
    pytest.mark.timeout(7200),
]
WAYS = pytest.mark.parametrize("way", ["cut", pytest.param("kill", marks=pytest.mark.skipif(not SEEDS, reason="soak"))])
Lose = Callable[[Machine], None]


def _lose(way: str) -> Lose:
    return Machine.lose_power if way == "cut" else Machine.lose_process


def _cut_off(one: Machine, lose: Lose, begun: subprocess.Popen[bytes], after: float) -> int:
    """Let what is under way be cut off after so many seconds; how its command ended."""
    threading.Event().wait(after)
    lose(one)
    return begun.wait(60)


def _storm(one: Machine, rng: random.Random) -> SystemCallStorm:
    return SystemCallStorm(str(one.both.source), rng.randrange(1 << 30), limit=120)


def _listed(one: Machine) -> dict[str, str]:
    """Names of generations by their labels, the oldest first."""
    return {row["label"]: row["generation"] for row in one.both.beta.json("generations", "list", "web")}


class _Generations:
    """What was taken, as the tree stood then, and what of it must be there."""

    def __init__(self, one: Machine, lose: Lose, rng: random.Random) -> None:
        self.one, self.lose, self.rng = one, lose, rng
        self.stood: dict[str, dict[bytes, object]] = {}
        self.sure: list[str] = []

    def take(self, number: int, after: float) -> None:
        """One that was said to be taken is there; one that was not may be."""
        label = f"n{number}"
        self.stood[label] = tree_of(self.one.both.source)
        begun = typed(self.one.cut, "generations", "take", "web", "--label", label)
        code = _cut_off(self.one, self.lose, begun, after)
        self.one.back()
        if code == Exit.DONE:
            assert label in _listed(self.one)
        if label in _listed(self.one):
            self.sure.append(label)

    def expire(self, _number: int, after: float) -> None:
        """What the rule keeps is there, whatever was let go."""
        _cut_off(self.one, self.lose, typed(self.one.cut, "generations", "expire", "web", "--yes"), after)
        self.one.back()
        self.one.both.beta.json("generations", "expire", "web", "--yes")

    def restore(self, number: int, after: float) -> None:
        """The same command goes on with it."""
        label, to = self._one(), self.one.disk.root / f"back {number}"
        begun = typed(self.one.cut, "restore", "web", "--generation", label, "--to", str(to))
        threading.Event().wait(after)
        # The command has files open on the disk, it and its crew: they end with the machine.
        os.killpg(begun.pid, signal.SIGKILL)
        _cut_off(self.one, self.lose, begun, 0.0)
        self.one.back()
        if not to.exists() or tree_of(to) != self.stood[label]:
            assert self.stood[label] == restored(self.one.cut, label, to)
        shutil.rmtree(to)

    def check(self, to: Path) -> None:
        """The newest ones are all there, none is that was not taken, and one of them comes back as it stood."""
        listed = _listed(self.one)
        assert self.sure[-KEPT:] == [label for label in self.sure[-KEPT:] if label in listed]
        assert set() == listed.keys() - self.stood.keys() - {""}
        label = self._one()
        assert self.stood[label] == restored(self.one.cut, label, to)
        shutil.rmtree(to)

    def _one(self) -> str:
        return self.rng.choice(self.sure[-KEPT:])


@WAYS
def test_generations(way: str, tmpfs_dir: Path, rng: random.Random) -> None:
    """Taken, let go, brought back: those that were said to be taken and that the rule keeps come back as the tree stood."""
    with machine(tmpfs_dir / "at", "beta", rng, RULES) as one:
        kept, storm = _Generations(one, _lose(way), rng), _storm(one, rng)
        kept.stood["first"] = tree_of(one.both.source)
        one.both.beta.json("generations", "take", "web", "--label", "first")
        kept.sure.append("first")
        acts = [kept.take, kept.take, kept.expire, kept.restore]
        for number in range(ROUNDS):
            storm.run(40)
            one.both.alpha.wait("durable")
            act, after = rng.choice(acts), rng.random() * SOON
            print(f"{number}: {way} {after * 1000:.0f} ms after {act.__name__} was typed")
            act(number, after)
            kept.check(tmpfs_dir / "back")
        assert [] == one.both.beta.json("generations", "verify", "web")["damaged"]
        one.both.mirror()


@WAYS
def test_rollbacks(way: str, tmpfs_dir: Path, rng: random.Random) -> None:
    """Once it is over the tree is what it was, or what it would have been without; the standby follows."""
    with machine(tmpfs_dir / "at", "alpha", rng) as one:
        both = one.both
        record = both.home(both.alpha) / "rollback.json"
        good = both.beta.json("generations", "take", "web")["generation"]
        was, storm = tree_of(both.source), _storm(one, rng)
        for number in range(ROUNDS):
            storm.run(40)
            both.alpha.wait()
            os.sync()
            spoiled, after = tree_of(both.source), rng.random() * 0.5
            begun = typed(both.alpha, "rollback", "web", "--generation", good, "--yes")
            eventually(partial(_has_begun, begun, record))
            print(f"{number}: {way} {after * 1000:.0f} ms after it began")
            _cut_off(one, _lose(way), begun, after)
            one.back()
            eventually(lambda: not record.exists(), 90)
            both.mirror()
            assert tree_of(both.source) in (was, spoiled)
            both.alpha.json("rollback", "web", "--generation", good, "--yes")
            assert was == tree_of(both.source)


@pytest.mark.skipif(not SEEDS, reason="make soak PART=history-cuts")
@WAYS
def test_a_lost_vault(way: str, tmpfs_dir: Path, rng: random.Random) -> None:
    """Filled from the standby: what stands now can be brought back once it is through, and nothing is damaged."""
    with machine(tmpfs_dir / "at", "beta", rng) as one:
        both = one.both
        both.beta.json("generations", "take", "web", "--label", "kept")
        stood = tree_of(both.source)
        for number in range(ROUNDS):
            both.beta.kill()
            shutil.rmtree(both.home(both.beta) / "vault")
            one.back()
            after = rng.random() * SOON
            print(f"{number}: {way} {after * 1000:.0f} ms after it was typed")
            _cut_off(one, _lose(way), typed(both.beta, "resync", "web", "--vault", "--yes"), after)
            one.back()
            eventually(lambda: _is_filled(one))
            assert stood == restored(both.beta, "kept", tmpfs_dir / "back")
            shutil.rmtree(tmpfs_dir / "back")
        assert [] == both.beta.json("generations", "verify", "web")["damaged"]


def _has_begun(begun: subprocess.Popen[bytes], record: Path) -> bool:
    return record.exists() or begun.poll() is not None


def _is_filled(one: Machine) -> bool:
    done = one.cut.run("resync", "web", "--vault", "--yes", "--json")
    return "lacks nothing" in done.stderr or (done.returncode == Exit.DONE and json.loads(done.stdout)["left"] == 0)
