"""Power cuts of a primary whose source and state are filesystems of their own: the source loses what applications had not
synced, the catalog does not, and local facts lose what they please. Whatever is left is the truth, and the standby follows it.

`make test` runs a share; `make soak` a hundred cuts.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.loop_image import Disk, can_mount, disk
from fakes.storm import Storm
from fakes.trees import differences

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices"),
    pytest.mark.timeout(900),
]

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
CUTS = 100 if WHOLE else 2
#: Cuts on one pair of disks: they grow.
CUTS_A_PAIR = 10
SOURCE_MEBIBYTES, STATE_MEBIBYTES = 192, 448


@dataclass(frozen=True, slots=True)
class Machine:
    """A pair whose primary has two disks."""

    both: Pair
    source: Disk
    state: Disk

    def lose_power(self) -> None:
        """Both disks are what they were at one instant of the primary, which is then started again."""
        alpha = self.both.alpha
        alpha.stand_still()
        self.source.freeze_frame()
        self.state.freeze_frame()
        alpha.kill()
        self.source.power_cut()
        self.state.power_cut()
        alpha.start()
        alpha.up()

    def assert_followed(self) -> None:
        """The walk of the start alone has found what the source lost."""
        self.both.alpha.json("wait", "web", "--applied", "--timeout", "120", timeout=180)
        assert [] == differences(str(self.both.source), str(self.both.target))


@contextmanager
def machine(base: Path) -> Iterator[Machine]:
    """Running; nothing is in the source yet."""
    for name in ("of-source", "of-state"):
        (base / name).mkdir(parents=True)
    with disk(base / "of-source", SOURCE_MEBIBYTES) as source, disk(base / "of-state", STATE_MEBIBYTES) as state:
        tree = source.root / "tree"
        tree.mkdir()
        with pair(UNBRAKED, source=tree, states={"alpha": state.root / "alpha"}) as both:
            # A source that lost everything is held, and rightly.
            (tree / "kept").write_bytes(b"synced")
            both.begin()
            vouched_for(both)
            yield Machine(both, source, state)


#: How often a power cut is tried that loses what was written.
_ATTEMPTS = 10


def vouched_for(both: Pair) -> None:
    """Bring every signature to be clean and durable: what a reconcile after a sync makes it, and a sync of the state."""
    for _ in range(2):
        os.sync()
        both.alpha.json("reconcile", "web")
    os.sync()


def test_what_the_source_lost_is_found_although_old_facts_vouch_for_it(tmpfs_dir: Path) -> None:
    """Files overwritten in place, captured, confirmed, and lost: their stat is that of the old facts again."""
    with machine(tmpfs_dir) as one:
        files = [one.both.source / f"f{number:02}" for number in range(20)]
        assert any(_lost_what_was_applied(one, files) for _ in range(_ATTEMPTS)), (
            "no cut lost anything: it shows nothing"
        )


def _lost_what_was_applied(one: Machine, files: Sequence[Path]) -> bool:
    """Whether all of what was overwritten went with the power. The kernel writes it where all disks are synced beside this test,
    as others of its kind do, and where it takes half a minute: then the cut shows nothing of this."""
    for file in files:
        file.write_bytes(b"v1" * 3000)
    vouched_for(one.both)
    for file in files:
        with file.open("r+b") as opened:
            opened.write(b"v2" * 3000)
    one.both.alpha.json("wait", "web", "--applied", "--timeout", "60")
    one.lose_power()
    lost = sum(file.read_bytes() == b"v1" * 3000 for file in files)
    one.assert_followed()
    return lost == len(files)


def test_the_standby_follows_what_a_power_cut_left_of_the_source(tmpfs_dir: Path, rng: random.Random) -> None:
    """Whatever was written, synced, captured, looked at and confirmed before."""
    for first in range(0, CUTS, CUTS_A_PAIR):
        with machine(tmpfs_dir / f"{first}") as one:
            for number in range(first, min(first + CUTS_A_PAIR, CUTS)):
                storm = Storm(str(one.both.source), rng.randrange(1 << 30), limit=150)
                storm.run(100)
                if rng.random() < 0.7:
                    vouched_for(one.both)
                storm.run(rng.choice([5, 60]))
                if rng.random() < 0.8:
                    one.both.alpha.json("wait", "web", "--durable", "--timeout", "60")
                one.lose_power()
                one.assert_followed()
                assert 1 == one.both.alpha.look()["epoch"], f"cut {number}"
