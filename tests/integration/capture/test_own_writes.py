"""What this process wrote into the tree of a primary is taken in although no event tells of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import CalledOff
from agent.core.ids import ROOT
from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import no_further_names
from fakes.capture_fakes import WAIT, Station, Wiring, station


@pytest.fixture
def root(tmpfs_dir: Path) -> Path:
    """An empty directory."""
    made = tmpfs_dir / "root"
    made.mkdir()
    return made


@pytest.fixture
def made(root: Path, tmpfs_dir: Path) -> Iterator[Station]:
    """A station that nobody tells of changes."""
    (root / "d").mkdir()
    (root / "d" / "kept").write_bytes(b"1")
    (root / "gone").write_bytes(b"1")
    os.link(root / "d" / "kept", root / "linked")
    with station(root, tmpfs_dir / "state") as station_:
        station_.synced()
        yield station_


def test_what_was_written_is_taken_in_by_its_paths(made: Station, root: Path) -> None:
    """New, changed, gone, and a new directory with all that is in it."""
    (root / "d" / "kept").write_bytes(b"22")
    (root / "new" / "below").mkdir(parents=True)
    (root / "new" / "below" / "file").write_bytes(b"3")
    (root / "gone").unlink()
    number = made.pump.take_in([b"d/kept", b"new", b"gone"]).wait(WAIT)
    assert (made.outlet.commits[-1].number, []) == (number, made.mirror())


def test_what_was_written_is_taken_in_by_its_objects(made: Station, root: Path) -> None:
    """Wherever they are now: replaced at their names, or moved."""
    kept, gone = made.id_of(b"d/kept"), made.id_of(b"gone")
    assert kept is not None
    assert gone is not None
    (root / "d" / "fresh").write_bytes(b"22")
    os.rename(root / "d" / "fresh", root / "d" / "kept")
    os.rename(root / "gone", root / "d" / "moved")
    os.chmod(root, 0o750)
    made.pump.take_in([], [kept, gone, ROOT]).wait(WAIT)
    assert (gone, []) == (made.id_of(b"d/moved"), made.mirror())


def test_nobody_waits_for_a_pump_that_stopped(made: Station) -> None:
    """As with all that is asked of it."""
    made.pump.stop()
    with pytest.raises(CalledOff):
        made.pump.take_in([b"d"]).wait(WAIT)


@pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root")
def test_the_watch_alone_does_not_tell_of_it(root: Path, tmpfs_dir: Path) -> None:
    """So whoever writes on a primary has to say so."""
    watcher = choose(str(root), "fanotify", FanotifyGroups(), no_further_names)
    with station(root, tmpfs_dir / "state", wiring=Wiring(set_barrier=watcher.set_barrier)) as made:
        watcher.start(made.pump.hint)
        try:
            made.synced()
            (root / "own").write_bytes(b"1")
            made.pump.barrier().wait(WAIT)
            assert None is made.id_of(b"own")
            made.pump.take_in([b"own"]).wait(WAIT)
            assert [] == made.mirror()
        finally:
            watcher.stop()
