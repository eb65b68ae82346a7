"""Since when something waits, where a freeze is refused: what a primary says of how far its standbys are behind hangs on it."""

from __future__ import annotations

from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem
from agent.core.problem_codes import NOT_STILL
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
