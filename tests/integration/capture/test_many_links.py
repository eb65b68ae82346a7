"""A file with many names: it is read once, whatever becomes of its names and however large it is, and the work grows as their
number.

What the process has read is counted, by any system call; the databases are a few hundred KiB of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.watch.hint import Hint, Look
from fakes.capture_fakes import LightOutlet, Station, station

SIZE = 8 << 20
#: Read by one call, at once, and in slices.
SIZES = (500 << 10, SIZE, 20 << 20)
NAMES = 50
#: Of which databases and the interpreter need some; a reading too many is more.
BESIDE = 400 << 10


def read() -> int:
    """Bytes that this process has read so far, by any system call."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])


def named(*names: str) -> list[Hint]:
    """What a watcher tells when names come and go."""
    return [Hint(name.encode(), Look.ENTRY, content=False) for name in names]


@pytest.mark.parametrize("size", SIZES)
def test_a_walk_reads_it_at_one_of_its_names(root: Path, size: int) -> None:
    """At a first sync, and at a reconcile that does not believe its stat, also while a further name is so new that the signature
    is racy. Two walks begin at a start: its own, and the one that is asked for."""
    (root / "seed").write_bytes(os.urandom(size))
    for number in range(NAMES):
        os.link(root / "seed", root / f"{number}")
    with station(root, root.parent / "state", LightOutlet()) as made:
        before = read()
        made.synced()
        assert read() - before < 2 * size + BESIDE
        before = read()
        made.reconcile()
        assert read() - before < size + BESIDE
        assert [] == made.mirror()


@pytest.mark.parametrize("size", SIZES)
def test_names_of_a_file_that_is_new(made: Station, root: Path, size: int) -> None:
    """A watcher tells of the file and of each name at once, before it was read."""
    made.synced()
    (root / "seed").write_bytes(os.urandom(size))
    names = [f"{number}" for number in range(NAMES)]
    for name in names:
        os.link(root / "seed", root / name)
    before = read()
    made.give(*named("seed", *names))
    assert read() - before < size + BESIDE
    assert [] == made.mirror()


def test_a_large_file_that_is_written_between_its_names(made: Station, root: Path) -> None:
    """What is told of its content is read at whichever name it is told of, whatever was read before."""
    made.synced()
    (root / "seed").write_bytes(os.urandom(SIZES[-1]))
    made.give(*named("seed"))
    for name in ("one", "two"):
        os.link(root / "seed", root / name)
        stat = (root / "seed").stat()
        with (root / name).open("r+b") as file:
            file.write(name.encode())
        os.utime(root / "seed", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        made.give(*named(name), Hint(name.encode(), Look.ENTRY))
        assert ([], name.encode()) == (made.mirror(), made.copied(b"seed")[:3])


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
