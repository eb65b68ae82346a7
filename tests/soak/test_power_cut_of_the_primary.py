"""Power cuts of a primary whose source and state are filesystems of their own: the source loses what applications had not
synced, the catalog does not, and local facts lose what they please. Whatever is left is the truth, and the standby follows it.

`make test` runs a share; `make soak` a hundred cuts.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.eventually import eventually
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


_ANEW = (sys.executable, "-m", "tests.fakes.agent_of_another_boot")


@dataclass(frozen=True, slots=True)
class Machine:
    """A pair whose primary has two disks."""

    both: Pair
    source: Disk
    state: Disk
    #: What the primary is told of the boot of its machine.
    boot: Path

    def lose_power(self) -> None:
        """Both disks are what they were at one instant of the primary, whose machine is then started again."""
        self.both.alpha.stand_still()
        self.cut()

    def cut(self) -> None:
        """The same of a primary that stands still already."""
        alpha = self.both.alpha
        self.source.freeze_frame()
        self.state.freeze_frame()
        alpha.kill()
        self.source.power_cut()
        self.state.power_cut()
        self.boot.write_text(f"{uuid.uuid4()}\n")
        usual, alpha.program = alpha.program, (*_ANEW, str(self.boot))
        alpha.start()
        alpha.program = usual
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
            yield Machine(both, source, state, base / "boot_id")


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


def test_a_database_keeps_its_last_page_and_its_old_time(tmpfs_dir: Path) -> None:
    """fdatasync writes pages and no time where the size stays: after the cut the file has the stat of old facts, which hold up to
    the newest commit, since the last change was never seen."""
    with machine(tmpfs_dir) as one:
        alpha, database = one.both.alpha, one.both.source / "database"
        database.write_bytes(b"v1" * 30_000)
        vouched_for(one.both)
        eventually(lambda: _has_kept(one, database))
        os.sync()
        before = database.stat()
        alpha.stand_still()
        with database.open("r+b") as opened:
            opened.write(b"v2" * 3000)
            opened.flush()
            os.fdatasync(opened)
        one.cut()
        after = database.stat()
        if (before.st_mtime_ns, before.st_ctime_ns) != (after.st_mtime_ns, after.st_ctime_ns):
            pytest.skip("somebody synced the disk in between: the time was written too")
        assert database.read_bytes().startswith(b"v2")
        one.assert_followed()


def _has_kept(one: Machine, file: Path) -> bool:
    """Whether the stat of a file is a clean fact in the database. Each change a second later keeps what was learned before."""
    (one.both.source / "other").write_bytes(os.urandom(9))
    (place,) = one.state.root.rglob("web/local.db")
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as facts:
        return bool(facts.execute("select 1 from object where ino = ? and clean", (file.stat().st_ino,)).fetchall())


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
