"""What one piece of work leaves to another arrives there, whatever happens on the way."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from agent.capture.tree.walk import Below, Turns, Walk
from agent.chunking.reader import LARGE
from agent.core.ids import ObjectId
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import Station, wait_for

MIB = 1 << 20


def test_many_large_files_at_once(made: Station, root: Path) -> None:
    """They are told of as the entries of their directory: a look at those waits for no reading, which would never come."""
    made.synced()
    for number in range(300):
        with open(root / f"f{number}", "wb") as file:
            file.truncate(LARGE + 1 + number)
    made.pump.hint([Hint(b"f%d" % number, Look.ENTRY) for number in range(300)])
    made.pump.barrier().wait(10)
    assert 300 == len([name for name in range(300) if made.id_of(b"f%d" % name) is not None])


def test_a_directory_that_cannot_be_listed_for_a_moment(
    made: Station, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entries were told of, and not one by one."""
    (root / "d").mkdir()
    made.synced()
    for number in range(300):
        (root / "d" / f"f{number}").write_bytes(b"x")
    visit, failed = Walk.visit, list[ObjectId]()

    def failing_once(walk: Walk, directory: ObjectId, below: Below) -> Turns:
        if not failed:
            failed.append(directory)
            raise OSError(errno.EMFILE, "no descriptor is left")
        return visit(walk, directory, below)

    monkeypatch.setattr(Walk, "visit", failing_once)
    made.pump.hint([Hint(b"d/f%d" % number, Look.ENTRY) for number in range(300)])
    made.pump.barrier().wait(30)
    assert failed
    assert [] == made.mirror()


def test_a_tree_that_moves_while_it_is_walked(made: Station, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More directories than are held open, and what tells of the move comes late."""
    made.synced()
    came = root.parent / "came"
    for number in range(1200):
        (came / "sub" / f"d{number}").mkdir(parents=True)
        (came / "sub" / f"d{number}" / "f").write_bytes(b"%d" % number)
    came.rename(root / "p")
    visit, visited = Walk.visit, list[ObjectId]()

    def moving(walk: Walk, directory: ObjectId, below: Below) -> Turns:
        visited.append(directory)
        if len(visited) == 300:
            (root / "p").rename(root / "q")
        return visit(walk, directory, below)

    monkeypatch.setattr(Walk, "visit", moving)
    made.pump.hint([Hint(b"p", Look.SUBTREE)])
    wait_for(lambda: len(visited) >= 1200)
    made.give(Hint(b"q", Look.ENTRY, moved_from=b"p"))
    assert [] == made.mirror()


def test_a_file_that_did_not_grow_is_late_too(made: Station, root: Path, rng: random.Random) -> None:
    """While it waits to be read its change has an age, though nobody knows how much of it is new."""
    (root / "image").write_bytes(rng.randbytes(20 * MIB))
    made.synced()
    made.outlet.has.clear()
    with open(root / "image", "r+b") as file:
        file.write(b"changed")
    made.pump.hint([Hint(b"image", Look.ENTRY)])
    wait_for(lambda: made.pump.facts().large_waiting == 1)
    assert made.pump.facts().put_off > 0
    made.outlet.has.set()
    made.pump.barrier().wait(30)
    assert 0 == made.pump.facts().put_off
    assert [] == made.mirror()
