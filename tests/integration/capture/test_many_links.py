"""A file with many names: it is read once, whatever becomes of its names, and the work grows as their number."""

from __future__ import annotations

import os
from pathlib import Path

from agent.watch.hint import Hint, Look
from fakes.capture_fakes import LightOutlet, Station, station

SIZE = 8 << 20
NAMES = 50


def read() -> int:
    """Bytes that this process has read so far, by any system call."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])


def named(*names: str) -> list[Hint]:
    """What a watcher tells when names come and go."""
    return [Hint(name.encode(), Look.ENTRY, content=False) for name in names]


def test_a_walk_reads_it_at_one_of_its_names(root: Path) -> None:
    """At a first sync, and at a reconcile that does not believe its stat; up to three readings were seen of one just written."""
    (root / "seed").write_bytes(os.urandom(SIZE))
    for number in range(NAMES):
        os.link(root / "seed", root / f"{number}")
    with station(root, root.parent / "state", LightOutlet()) as made:
        for _ in range(2):
            before = read()
            made.synced() if not made.outlet.commits else made.reconcile()
            assert read() - before < 4 * SIZE
        assert [] == made.mirror()


def test_names_that_come_and_go_read_nothing(made: Station, root: Path) -> None:
    """What is told of them is told of names only; what is written meanwhile is told by itself, and read."""
    (root / "seed").write_bytes(os.urandom(SIZE))
    os.link(root / "seed", root / "first")
    made.synced()
    names = [f"{number}" for number in range(NAMES)]
    before = read()
    for name in names:
        os.link(root / "seed", root / name)
        made.give(*named(name))
    (root / "first").rename(root / "moved")
    made.give(Hint(b"moved", Look.ENTRY, moved_from=b"first", content=False))
    for name in names[:-1]:
        (root / name).unlink()
        made.give(*named(name))
    # A move is read.
    assert read() - before < 2 * SIZE
    assert [] == made.mirror()
    with (root / names[-1]).open("ab") as file:
        file.write(b"more")
    made.give(Hint(names[-1].encode(), Look.ENTRY))
    (root / "seed").chmod(0o600)
    made.give(*named("seed"))
    assert [] == made.mirror()


def test_a_file_of_the_same_size_and_time_is_another(made: Station, root: Path) -> None:
    """A name that comes to stand for another file is read, whatever its stat says."""
    (root / "one").write_bytes(b"one")
    (root / "two").write_bytes(b"two")
    for name in ("one", "two"):
        os.link(root / name, root / f"{name} again")
        os.utime(root / name, ns=(1, 1))
    made.synced()
    os.rename(root / "two again", root / "one again")
    made.give(*named("one again", "two again"))
    assert ([], b"two") == (made.mirror(), made.copied(b"one again"))
