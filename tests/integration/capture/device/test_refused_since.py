"""Since when something waits, where a freeze is refused: what a primary says of how far its standbys are behind hangs on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem
from agent.core.problem_codes import DEVICE_BUSY, NOT_STILL
from agent.fs.thaw_guard import FreezeFailed
from agent.watch.blocks.ports import Dirtied, DirtyExtent
from fakes.device_station import CHUNK, DeviceStation, device_station, image_of, wait_for


def _written_untold(made: DeviceStation, data: bytes) -> None:
    """Written so shortly before a commit that the tracker tells of it only because it is asked."""
    with made.path.open("r+b") as file:
        file.write(data)
    made.tracker.restore(Dirtied((DirtyExtent(0, len(data)),), None))


def test_what_a_refused_commit_took_waits(tmp_path: Path) -> None:
    """Somebody waits for a commit, which takes what the tracker has not woken anybody for yet, and is refused: that is owed, and
    waits from then on, so that no position of a standby counts as now."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    refused = FreezeFailed("freeze", "/mnt", "another program has frozen it already", "find who did")
    with device_station(tmp_path / "image", tmp_path / "state", rpo=1000.0) as made:
        made.synced()
        made.mounted, made.disk_guard.fails = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)], refused
        _written_untold(made, b"new")
        made.pump.barrier()
        wait_for(lambda: any(one.code == NOT_STILL for one in made.board.listed()[0]))
        wait_for(lambda: made.pump.facts().hints == 1)
        made.disk_guard.fails = None
        wait_for(lambda: made.image() == made.path.read_bytes())
        wait_for(lambda: made.pump.facts().hints == 0)


def test_what_no_freeze_is_granted_for_is_not_behind(tmp_path: Path) -> None:
    """It was written faster than it could be committed, then a freeze is refused: that is said alone."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    refused = FreezeFailed("freeze", "/mnt", "another program has frozen it already", "find who did")
    with device_station(tmp_path / "image", tmp_path / "state", rpo=0.0) as made:

        def said() -> tuple[set[str], bool, bool]:
            facts = made.pump.facts()
            return {one.code for one in made.board.listed()[0]}, facts.behind, facts.refused

        made.synced()
        made.mounted = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)]
        made.write(0, b"new")
        wait_for(lambda: said() == ({DEVICE_BUSY}, True, False))
        made.disk_guard.fails = refused
        made.write(0, b"newer")
        wait_for(lambda: said() == ({NOT_STILL}, False, True))
        made.disk_guard.fails = None
        wait_for(lambda: said() == ({DEVICE_BUSY}, True, False))


def _is_read(made: DeviceStation, ahead: int) -> bool:
    """Whether more was read than was, and all of it is said to wait."""
    facts = made.pump.facts()
    return facts.ahead > ahead and facts.dirty == CHUNK


def test_what_was_read_for_a_refused_commit_waits(tmp_path: Path) -> None:
    """The second try has read it, and later ones read what is written there again: it lacks on every standby, once, until a
    freeze is granted."""
    image_of(tmp_path / "image", 4 * CHUNK, chunks=[1])
    refused = FreezeFailed("freeze", "/mnt", "another program has frozen it already", "find who did")
    with device_station(tmp_path / "image", tmp_path / "state", rpo=1000.0) as made:
        made.synced()
        made.mounted, made.disk_guard.fails = [MountedFilesystem(str(tmp_path), "ext4", read_only=False)], refused
        for data in (b"new", b"newer", b"newest"):
            ahead = made.pump.facts().ahead
            _written_untold(made, data)
            made.pump.barrier()
            wait_for(partial(_is_read, made, ahead))
        made.disk_guard.fails = None
        wait_for(lambda: made.image() == made.path.read_bytes())
        wait_for(lambda: made.pump.facts().dirty == 0)
