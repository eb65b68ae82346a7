"""Which tracker a device gets."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from agent.config.nesting import mounts
from agent.watch.blocks.image_file import ImageFileTracker
from agent.watch.blocks.instances import instance_name
from agent.watch.blocks.ports import BlockTracker
from agent.watch.blocks.tracefs import removed
from agent.watch.blocks.tracker import TracepointTracker


def tracker_of(path: str, state: Path, dataset: str, saved: Path | None = None) -> BlockTracker:
    """The tracker of a dataset's device or raw image file, not started. ``state``: the agent's state directory; ``saved``: where
    the tracker before kept its map at a clean stop.

    What is neither, or cannot be looked at, is asked for again and again as a device."""
    with suppress(OSError):
        if stat.S_ISREG(os.stat(path).st_mode):
            return ImageFileTracker(path, saved)
    return TracepointTracker(path, instance_name(state, dataset), saved)


def not_followed_any_more(state: Path, dataset: str, saved: Path) -> None:
    """Another node's writes come to this device from now on: what its tracker left at a clean stop is of no use, and the kernel
    need not go on noting. Where nothing was left, nothing happens."""
    if not saved.exists():
        return
    saved.unlink()
    for tracefs in (point for point, kind in mounts() if kind == "tracefs"):
        with suppress(OSError):
            removed(Path(tracefs) / "instances" / instance_name(state, dataset))
