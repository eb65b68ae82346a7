"""Directories that leave what a walk has still to go over: what changed in them is found all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.chunking.reader import LARGE
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, Station, station, wait_for

BELOW_TOP = Hint(b"top", Look.SUBTREE)
MOVED = Hint(b"other/d", Look.ENTRY)


@pytest.fixture
def made(tmpfs_dir: Path) -> Iterator[Station]:
    """A station in sync, over ``top/a/d/x`` and an empty ``other``."""
    root = tmpfs_dir / "root"
    (root / "top" / "a" / "d").mkdir(parents=True)
    (root / "top" / "a" / "d" / "x").write_bytes(b"x")
    (root / "other").mkdir()
    with station(root, tmpfs_dir / "state") as one:
        one.synced()
        yield one


@pytest.fixture
def changed(made: Station) -> Station:
    """A file is deleted, and its directory moved out of what the hint for it became."""
    (made.root / "top" / "a" / "d" / "x").unlink()
    (made.root / "top" / "a" / "d").rename(made.root / "other" / "d")
    return made


@pytest.mark.parametrize("hints", [(BELOW_TOP, MOVED), (MOVED, BELOW_TOP)], ids=["before", "after"])
def test_a_hint_for_all_below(changed: Station, hints: tuple[Hint, ...]) -> None:
    """The move is looked at before the walk begins, or before its hint is."""
    changed.give(*hints)
    assert [] == changed.mirror()


def test_by_way_of_a_directory_that_left_itself(made: Station) -> None:
    """``a`` leaves ``top`` and ``d`` leaves ``a``: both stood below ``top``."""
    (made.root / "top" / "a" / "d" / "x").unlink()
    (made.root / "top" / "a").rename(made.root / "other" / "a")
    (made.root / "other" / "a" / "d").rename(made.root / "d")
    made.give(
        Hint(b"other/a", Look.ENTRY, moved_from=b"top/a"),
        Hint(b"d", Look.ENTRY, moved_from=b"other/a/d"),
        BELOW_TOP,
    )
    assert [] == made.mirror()


def test_the_walk_of_the_whole_root(tmpfs_dir: Path, rng: random.Random) -> None:
    """A walk is in ``a`` and was not yet in ``z`` when a directory moves from here to there."""
    root = tmpfs_dir / "root"
    for name in ("a", "z/d"):
        (root / name).mkdir(parents=True)
    (root / "z" / "d" / "x").write_bytes(b"x")
    with station(root, tmpfs_dir / "state") as made:
        made.synced()
        (root / "z" / "d" / "x").unlink()
        for number in range(20):
            with (root / "a" / f"large{number}").open("wb") as file:
                file.write(rng.randbytes(1 << 20))
                file.truncate(LARGE + 1)
        made.outlet.on_content = made.outlet.has.clear
        walked = made.pump.reconcile("test")
        wait_for(lambda: not made.outlet.has.is_set())
        made.outlet.on_content = lambda: None
        (root / "z" / "d").rename(root / "a" / "d")
        made.pump.hint([Hint(b"a/d", Look.ENTRY, moved_from=b"z/d")])
        wait_for(lambda: made.id_of(b"a/d") is not None)
        made.outlet.has.set()
        walked.wait(WAIT)
        assert [] == made.mirror()
