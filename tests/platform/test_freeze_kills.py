"""A primary whose state, thaw guard's files and tree stand on the one filesystem that is frozen for generations, agent and guard
killed around the freezes: who writes there goes on within the deadline, and each frozen generation is the frozen tree.

`make test` runs a share; `make soak PART=freezes` a hundred kills of each filesystem.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.fs.freezing import thaw_marked
from agent.fs.thaw_guard import MARK
from fakes.agents import UNBRAKED, Pair, pair
from fakes.cut_machine import restored
from fakes.eventually import eventually
from fakes.loop_image import can_mount, filesystem, mounted
from fakes.process_tree import found_guard
from fakes.syncing_writer import SyncingWriter
from fakes.trees import Seen, snapshot, without_holes

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
ROUNDS = SEEDS or 2
#: Seconds: the guard's deadline, and what a busy machine may take beside it.
DEADLINE, BUSY = 5.0, 10.0
#: Seconds after a generation was asked for within which somebody is killed, where nobody waits for the freeze.
SOON = 0.6
WHOM = ("both", "guard", "agent")
#: With which a copy is mounted beside what it is a copy of.
OPTIONS: Mapping[str, tuple[str, ...]] = {"ext4": (), "xfs": ("-o", "nouuid")}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices"),
    pytest.mark.timeout(0 if SEEDS else 300),
]
Taken = Future["subprocess.CompletedProcess[str]"]


class FrozenNode:
    """A pair whose primary has all it writes on one filesystem, which it copies whenever it stands still. ``frozen``:
    generations that were compared; ``within``: kills while it stood still, or was about to."""

    def __init__(self, kind: str, both: Pair, disk: Path, place: Path, rng: random.Random) -> None:
        self.both = both
        self.frozen = self.within = 0
        self._kind = kind
        self._place = place
        self._rng = rng
        self._copy = place / "copy"
        self._mark = disk / "run" / MARK
        alpha = both.alpha
        image = str(place / "image")
        alpha.program = (sys.executable, "-m", "tests.fakes.copying_agent", image, str(self._copy))
        here = disk / "run" / "admin.sock"
        alpha.config.write_text(alpha.config.read_text().replace(str(alpha.socket), str(here)))
        alpha.socket = here

    def take(self, pool: ThreadPoolExecutor) -> Taken:
        """A generation is asked for on the other node."""
        return pool.submit(self.both.beta.run, "generations", "take", "web", "--json")

    def kill_one(self, turn: int, taking: Taken) -> None:
        """Both, the guard, or the agent by turns, at any moment or while the filesystem stands still. The agent runs again at the
        end, always killed before: it lets a secondary have one freeze a minute."""
        alpha, whom = self.both.alpha, WHOM[turn % len(WHOM)]
        # It is executed for the first freeze.
        eventually(lambda: taking.done() or found_guard(alpha))
        if self._rng.random() < 0.7:
            eventually(lambda: taking.done() or self._mark.exists())
        else:
            threading.Event().wait(self._rng.random() * SOON)
        self.within += self._mark.exists()
        guard = found_guard(alpha)
        if whom != "agent" and guard is not None:
            os.kill(guard, signal.SIGKILL)
        if whom == "guard":
            taking.result()
        if whom == "both":
            # A thread of the agent that waits for the filesystem lets it end only once that is thawed: by what the guard's own
            # unit does at its end.
            assert alpha.process is not None
            alpha.process.send_signal(signal.SIGKILL)
            self.thaw()
        alpha.kill()
        alpha.start()
        alpha.up()
        alpha.wait("durable")

    def thaw(self) -> None:
        """What is left frozen by a guard that was killed."""
        thaw_marked(str(self._mark), DEADLINE)

    def compare(self, done: subprocess.CompletedProcess[str]) -> None:
        """What was kept frozen is what the copy holds."""
        if done.returncode or json.loads(done.stdout)["consistency"] != "crash-consistent":
            return
        self.frozen += 1
        back = self._place / "back"
        name = json.loads(done.stdout)["generation"]
        with mounted(self._copy, self._place / "aside", *OPTIONS[self._kind]) as there:
            stood = entries(there / "source")
        restored(self.both.beta, name, back)
        assert stood == entries(back), name
        shutil.rmtree(back)


def entries(tree: Path) -> dict[bytes, Seen]:
    """What stands below a directory."""
    return {path: seen for path, seen in without_holes(snapshot(str(tree))).items() if path}


@contextmanager
def frozen_node(kind: str, place: Path, rng: random.Random) -> Iterator[FrozenNode]:
    """Running and equal."""
    terms = f'quiesce = "freeze"\n{UNBRAKED}'
    with (
        filesystem(kind, place) as disk,
        pair(terms, source=disk / "source", states={"alpha": disk / "state"}) as both,
    ):
        made = FrozenNode(kind, both, disk, place, rng)
        for number in range(200):
            (both.source / f"still{number}").write_bytes(rng.randbytes(rng.choice([0, 100, 20_000])))
        both.begin()
        try:
            yield made
        finally:
            made.thaw()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_all_on_the_filesystem_that_is_frozen(kind: str, tmpfs_dir: Path, rng: random.Random) -> None:
    """Whoever is killed, no write waits beyond the deadline, each generation that is said to be frozen is what the filesystem
    held, the agent goes on, and the standby is equal in the end."""
    with frozen_node(kind, tmpfs_dir, rng) as one, ThreadPoolExecutor(1) as pool:
        with SyncingWriter(one.both.source) as writer:
            for turn in range(ROUNDS):
                taking = one.take(pool)
                one.kill_one(turn, taking)
                one.compare(taking.result())
                before = writer.written
                eventually(lambda before=before: writer.written > before)  # type: ignore[misc]
            one.compare(one.take(pool).result())
        print(
            f"\n{kind}: longest stall of a writer {writer.longest * 1000:.0f} ms over {ROUNDS} kills, {one.within} of them in a"
            f" freeze; {one.frozen} frozen generations, {writer.written} writes"
        )
        assert writer.longest < DEADLINE + BUSY
        assert one.frozen
        one.both.mirror()
        assert one.both.beta.json("verify", "web", "--deep")["equal"]
        one.both.stop()
