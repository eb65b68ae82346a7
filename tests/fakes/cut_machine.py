"""A pair of which one node stands on a disk of its own, tree and state, whose power can be cut at any instant."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.agents import REPOSITORY, UNBRAKED, Agent, Pair, pair
from fakes.hook_log import HookLog
from fakes.loop_image import Disk, disk
from fakes.trees import snapshot

MEBIBYTES = 448


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

    def lose_process(self) -> None:
        """The agent is killed; what it had written stays, synced or not."""
        self.cut.kill()

    def back(self) -> None:
        """It is started again."""
        self.cut.start()
        self.cut.up()


@contextmanager
def machine(base: Path, name: str, rng: random.Random, extra: str = "") -> Iterator[Machine]:
    """Running and equal; ``name``: the node whose power goes; ``extra``: see ``Fleet``."""
    base.mkdir()
    with disk(base, MEBIBYTES) as made:
        tree = made.root / "tree"
        tree.mkdir()
        # Any: as ``pair`` takes it
        places: dict[str, Any] = {"source" if name == "alpha" else "standby": tree}
        with pair(UNBRAKED + extra, states={name: made.root / "state"}, **places) as both:
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


def change(tree: Path, rng: random.Random, whose: str) -> None:
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


def tree_of(path: Path) -> dict[bytes, object]:
    """What stands below a directory, but for what is private in it."""
    return {name: seen for name, seen in snapshot(str(path)).items() if not name.startswith(b".hikae") and name}


def restored(agent: Agent, generation: str, to: Path) -> dict[bytes, object]:
    """A generation as it comes back."""
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return tree_of(to)


def typed(agent: Agent, *words: str) -> subprocess.Popen[bytes]:
    """A command that is under way."""
    return subprocess.Popen(
        [*agent.program, "--config", str(agent.config), *words],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
