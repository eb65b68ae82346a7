"""Run in a mount namespace of its own: follows a device while tracefs is not there, and while it is taken away. Prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys

from agent.config.nesting import mounts
from agent.watch.blocks.tracker import TracepointTracker, TrackerLimits


def take_away() -> None:
    """Unmount it wherever it is."""
    for point in [point for point, kind in mounts() if kind == "tracefs"]:
        subprocess.run(("umount", "--lazy", point), check=True)


def main(device: str, name: str) -> None:
    """What is told before, after, and once an audit has looked."""
    take_away()
    tracker = TracepointTracker(device, name, None, TrackerLimits(interval=3600))
    tracker.start(lambda: None)
    try:
        tracker.take()
        told: list[str | None] = [tracker.take().reconcile]
        take_away()
        told += [tracker.take().reconcile, tracker.audit(), tracker.take().reconcile, tracker.take().reconcile]
    finally:
        tracker.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
