"""Directories that change places between a look and a read of what a peer asks for: no catchup hangs by it (storm seed 12).

`make test` runs a share; `make soak` a thousand short storms.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.fs.confined import exchange
from fakes.spoken import spoken, station_that_speaks
from fakes.storm import Storm

STORMS = 1000 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0 else 6
#: So long, in seconds, a catchup of some files may take on a loaded machine; a call that brings nothing ends after a minute.
WITHIN = 40.0


def test_directories_exchanged_between_look_and_read(tmpfs_dir: Path) -> None:
    """The catchup that is going on comes to its end: the hang, brought about on purpose."""
    with station_that_speaks(tmpfs_dir) as (made, feed):
        for name in ("a", "b"):
            (made.root / name).mkdir()
            for number in range(20):
                (made.root / name / f"f{number}").write_bytes(os.urandom(1000))
        made.synced()
        first = threading.Event()

        def looked() -> None:
            if not first.is_set():
                first.set()
                swap(made.root)

        with spoken(made, tmpfs_dir, feed, looked) as call:
            assert first.wait(WITHIN)
            made.reconcile()
            assert call.caught_up(WITHIN)


def swap(root: Path) -> None:
    """Two directories change places."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        exchange(fd, b"a", fd, b"b")
    finally:
        os.close(fd)


class Shuffling(Storm):
    """Mostly directories that move, change places, and take each other's names."""

    def __init__(self, root: str, seed: int) -> None:
        super().__init__(root, seed, limit=60)
        self._ops += [
            (30, self.swap_directories),
            (30, self.rename_directory),
            (20, self.mkdir),
            (10, self.rename_over),
        ]


def slow(rng: random.Random, over: threading.Event) -> Callable[[], None]:
    """Now and then some milliseconds pass between a look and a read, until all is ``over``."""

    def looked() -> None:
        if rng.random() < 0.2:
            over.wait(rng.choice([0.001, 0.005, 0.02]))

    return looked


@pytest.mark.timeout(0 if STORMS > 6 else 300)
def test_short_storms_with_delays(tmpfs_dir: Path, rng: random.Random) -> None:
    """The tree is shuffled while a peer catches up: the peer is brought up all the same."""
    for number in range(STORMS):
        base = tmpfs_dir / f"{number}"
        with station_that_speaks(base) as (made, feed):
            storm = Shuffling(str(made.root), rng.randrange(1 << 30))
            storm.run(120)
            made.start()
            over = threading.Event()
            with spoken(made, base, feed, slow(random.Random(rng.random()), over)) as call:
                for _ in range(6):
                    storm.run(15)
                    made.pump.reconcile("storm")
                made.reconcile()
                over.set()
                assert call.caught_up(WITHIN), f"storm {number}"
        shutil.rmtree(base)
