"""What a device is captured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.capture.device.mounted import MountedFilesystem, filesystems_on, swaps_on
from agent.capture.device.opened import ReadsDevice, open_device
from agent.capture.device.rhythm import LIMITS, RhythmLimits
from agent.capture.device.yielding import Yielding, yields_to_others
from agent.config.values import DeviceTerms
from agent.fs.thaw_guard import FreezingDisks
from agent.watch.blocks.ports import BlockTracker, DirtyExtent

#: Begins to follow what changes on an open device.
OpensTracker = Callable[[ReadsDevice], BlockTracker]
#: Opens the device at a path. ``OSError``.
OpensDevice = Callable[[str], ReadsDevice]


@dataclass(frozen=True, slots=True)
class DeviceOpening:
    """Where the device stands, what opens and follows it, what freezes it, and its terms as they are configured now. ``saved``:
    where the tracker keeps what it owes at a clean stop, for the next; None: nowhere.
    ``yielding``: what a first copy asks before each step."""

    path: str
    opens_tracker: OpensTracker
    freezing: FreezingDisks
    terms: Callable[[], DeviceTerms]
    limits: RhythmLimits = LIMITS
    opens: OpensDevice = open_device
    filesystems: Callable[[str], Sequence[MountedFilesystem]] = filesystems_on
    swaps: Callable[[str], Sequence[DirtyExtent]] = swaps_on
    saved: Path | None = None
    yielding: Callable[[], Yielding] = yields_to_others
