"""Which tracker a device gets, and what its trace instance is called."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from agent.config.nesting import mounts
from agent.watch.blocks.image_file import ImageFileTracker
from agent.watch.blocks.ports import BlockTracker
from agent.watch.blocks.tracefs import is_left_over, removed
from agent.watch.blocks.tracker import TracepointTracker

#: What every agent's trace instances begin with.
_ANY = "hikae-"


def tracker_of(path: str, state: Path, dataset: str, saved: Path | None = None) -> BlockTracker:
    """The tracker of a dataset's device or raw image file, not started. ``state``: the agent's state directory; ``saved``: where
    the tracker before kept its map at a clean stop.

    What is neither, or cannot be looked at, is asked for again and again as a device."""
    with suppress(OSError):
        if stat.S_ISREG(os.stat(path).st_mode):
            return ImageFileTracker(path, saved)
    return TracepointTracker(path, instance_name(state, dataset), saved)


def instance_name(state: Path, dataset: str) -> str:
    """The name of a dataset's trace instance: no other agent of this machine has it, not even in a container."""
    return f"{_prefix(state)}{dataset}"


def not_followed_any_more(state: Path, dataset: str, saved: Path) -> None:
    """Another node's writes come to this device from now on: what its tracker left at a clean stop is of no use, and the kernel
    need not go on noting. Where nothing was left, nothing happens."""
    if not saved.exists():
        return
    saved.unlink()
    for tracefs in (point for point, kind in mounts() if kind == "tracefs"):
        with suppress(OSError):
            removed(Path(tracefs) / "instances" / instance_name(state, dataset))


def leftovers_removed(state: Path, datasets: Collection[str]) -> list[str]:
    """Remove the trace instances of this agent's earlier lives that none of these datasets uses, and those of any agent that was
    killed; their names.

    To be called at the agent's start, and once a dataset is configured no more. Where no tracefs is mounted, there is nothing,
    and it is not mounted for this."""
    keep = {instance_name(state, one) for one in datasets}
    gone: list[str] = []
    now = time.time()
    for tracefs in (point for point, kind in mounts() if kind == "tracefs"):
        instances = Path(tracefs) / "instances"
        for name in _listed(instances):
            ours = name.startswith(_prefix(state)) and name not in keep
            if ours or (name.startswith(_ANY) and name not in keep and is_left_over(instances / name, now)):
                with suppress(OSError):
                    removed(instances / name)
                    gone.append(name)
    return gone


def _listed(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _prefix(state: Path) -> str:
    found = os.stat(state)
    of = f"{found.st_dev} {found.st_ino} {state.resolve()}"
    return f"{_ANY}{hashlib.blake2s(of.encode(), digest_size=5).hexdigest()}-"
