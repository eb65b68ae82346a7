"""`hikae rejoin` when things go wrong: two promoted apart, kills at every step, a link that is cut; no copy is the only one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from fakes.agents import REPOSITORY, UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.proxy import proxy
from fakes.roles import make_primary, reign
from fakes.trees import differences, snapshot

SEED = 20261201


def _fill(tree: Path, rng: random.Random) -> None:
    for number in range(60):
        path = tree / f"d{number % 6}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rng.randbytes(20_000))
    (tree / "large").write_bytes(rng.randbytes(4 << 20))


def _change(tree: Path, rng: random.Random, whose: str) -> None:
    """Files of its own, some that both have, and a few that go."""
    for number in range(0, 60, 3):
        (tree / f"d{number % 6}" / f"f{number}").write_bytes(f"of {whose}".encode() + rng.randbytes(15_000))
    (tree / f"only {whose}").write_bytes(rng.randbytes(300_000))
    (tree / "d1" / "f1").unlink(missing_ok=True)
    with (tree / "large").open("r+b") as file:
        file.seek(rng.randrange(3 << 20))
        file.write(rng.randbytes(100_000))


def _tree(path: Path) -> dict[bytes, object]:
    return {name: seen for name, seen in snapshot(str(path)).items() if not name.startswith(b".hikae") and name}


def _restored(agent: Agent, generation: str, to: Path) -> dict[bytes, object]:
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return _tree(to)


def _reigns(agent: Agent, number: int) -> None:
    eventually(lambda: ("primary", number) == (agent.look().get("role"), agent.look().get("epoch")))


def _parted(both: Pair, rng: random.Random) -> dict[bytes, object]:
    """alpha is killed with changes of its own, beta promoted past it and changed; alpha's tree as it stood."""
    _fill(both.source, rng)
    both.begin()
    both.alpha.kill()
    both.beta.kill(signal.SIGTERM)
    _change(both.source, rng, "alpha")
    make_primary(both.home(both.beta), reign(2, "beta"))
    both.beta.start()
    _reigns(both.beta, 2)
    _change(both.target, rng, "beta")
    return _tree(both.source)


def _is_standby(both: Pair) -> None:
    eventually(lambda: "standby" == both.alpha.look().get("role"), 60)
    both.beta.wait()
    assert [] == differences(str(both.source), str(both.target))


def test_of_two_promoted_apart_one_goes_on_and_the_other_rejoins() -> None:
    """They took the same number: both are fenced when they meet, one is told to go on, and both histories restore."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both:
        _fill(both.source, rng)
        both.begin()
        for agent in both.agents:
            agent.kill(signal.SIGTERM)
            make_primary(both.home(agent), reign(2, agent.name))
        for agent, tree in ((both.alpha, both.source), (both.beta, both.target)):
            agent.start()
            _change(tree, rng, agent.name)
        for agent in both.agents:
            agent.up()
            agent.told("fenced")
        stood = _tree(both.source)
        refused = both.alpha.run("rejoin", "web", "--yes")
        assert (3, True) == (refused.returncode, "both were promoted" in refused.stderr), refused.stderr
        both.beta.json("serve", "web", "--alone", "--force", "--yes")
        _reigns(both.beta, 3)
        both.alpha.told("fenced", "epoch 3")
        done = both.alpha.json("rejoin", "web", "--yes")
        assert "only alpha" in done["lost"]
        _is_standby(both)
        eventually(lambda: both.alpha.look()["seeding"] is False)
        assert stood == _restored(both.alpha, "divergence", both.base / "back")


@pytest.mark.parametrize("step", ["walk", "divergence", "role", "follow"])
def test_a_rejoin_that_is_killed_goes_on(step: str) -> None:
    """Killed in a step, or right behind it, and started again: a standby, equal, and what it alone had is kept once."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both:
        stood = _parted(both, rng)
        both.alpha.start()
        both.alpha.up()
        both.alpha.told("fenced")
        typed = subprocess.Popen(
            [*both.alpha.program, "--config", str(both.alpha.config), "rejoin", "web", "--yes"],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_in(both.home(both.alpha) / "rejoin.json", step, typed)
        both.alpha.kill()
        typed.wait(30)
        both.alpha.start()
        both.alpha.up()
        _is_standby(both)
        eventually(lambda: both.alpha.look()["seeding"] is False)
        shown = both.alpha.json("generations", "list", "web")
        assert ["divergence"] == [one["label"] for one in shown]
        assert stood == _restored(both.alpha, "divergence", both.base / "back")


def _until_in(record: Path, step: str, typed: subprocess.Popen[bytes]) -> None:
    """Until the step was begun, or all are over."""
    never = threading.Event()
    while typed.poll() is None:
        try:
            found = json.loads(record.read_text())
        except (OSError, ValueError):
            found = {"doing": None, "done": []}
        if found["doing"] == step or step in {one["name"] for one in found["done"]}:
            return
        never.wait(0.002)


def _newest_epoch(both: Pair) -> int:
    return int(both.alpha.look()["commit"]["epoch"])


def test_a_link_that_is_cut_leaves_both_histories() -> None:
    """Cut again and again while the old primary is brought on, with kills of either: neither copy is ever the only one."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both, proxy(both.alpha.port) as link:
        both.reach_through("beta", "alpha", link.port)
        stood = _parted(both, rng)
        both.alpha.start()
        both.alpha.up()
        both.alpha.told("fenced")
        typed = subprocess.Popen(
            [*both.alpha.program, "--config", str(both.alpha.config), "rejoin", "web", "--yes"],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(lambda: "standby" == both.alpha.look().get("role"), 60)
        for _ in range(3):
            link.cut_after(rng.randrange(1_000, 200_000))
            eventually(
                lambda: link.take_cut() or not both.alpha.look()["peers"][0]["connected"] or _newest_epoch(both) == 2
            )
        both.alpha.kill()
        typed.wait(60)
        both.alpha.start()
        both.alpha.up()
        _is_standby(both)
        eventually(lambda: both.alpha.look()["seeding"] is False)
        assert stood == _restored(both.alpha, "divergence", both.base / "back")


def test_no_chunk_travels_that_the_disk_has() -> None:
    """Of a tree of 40 MB what was changed comes, and little beside, though the old primary never had a vault."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both, proxy(both.alpha.port) as link:
        both.reach_through("beta", "alpha", link.port)
        (both.source / "huge").write_bytes(rng.randbytes(40 << 20))
        _parted(both, rng)
        with (both.target / "huge").open("r+b") as file:
            file.seek(20 << 20)
            file.write(rng.randbytes(50_000))
        (both.target / "d2").rename(both.target / "moved")
        both.beta.json("reconcile", "web")
        both.alpha.start()
        both.alpha.up()
        both.alpha.told("fenced")
        before = link.carried
        both.alpha.json("rejoin", "web", "--yes")
        _is_standby(both)
        moved = link.carried - before
        changed = 20 * 15_007 + 300_000 + 100_000 + 50_000
        print(f"{moved:,} bytes for {changed:,} that were changed")
        assert moved <= 3 * changed + 200 * 60 + (2 << 20)
