"""What a tracker owes, kept over a clean stop of the agent: it is used once, and only where the very same disk still stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.fs.durable import sync_dir, write_durably
from agent.watch.blocks.accounts import Account, ToldSectors
from agent.watch.blocks.disk import TrackedDisk
from agent.watch.blocks.ports import DirtyExtent


@dataclass(frozen=True, slots=True)
class SavedMap:
    """``boot``: the boot that it belongs to; ``lost``: events that the instance had lost; ``account``: how many sectors had been
    counted and told of, with the events that the file's tracker saw as 0 of the next; ``extents``: what is owed."""

    boot: str
    disk: TrackedDisk
    lost: int
    account: Account
    extents: tuple[DirtyExtent, ...]

    def mistake(self, boot: str, disk: TrackedDisk) -> str | None:
        """Why it says nothing about this disk now, for people; None where it does."""
        if self.boot != boot or not boot:
            return "the machine was started anew"
        if not disk.sequence:
            return "this kernel does not number its disks"
        return None if self.disk == disk else "another device stands in its place, or it was resized"


def write_map(path: Path, saved: SavedMap) -> None:
    """Keep a map durably. Raises ``OSError``."""
    write_durably(str(path), json.dumps(asdict(saved)).encode())


def taken_map(path: Path) -> SavedMap | None:
    """The saved map, which is gone durably before it is believed; None where there is none, or it cannot be read."""
    try:
        text = path.read_bytes()
        path.unlink()
    except FileNotFoundError:
        return None
    sync_dir(str(path.parent))
    try:
        return _decoded(json.loads(text))
    except (ValueError, TypeError, KeyError):
        return None


def _decoded(value: dict[str, Any]) -> SavedMap:
    account = value["account"]
    return SavedMap(
        str(value["boot"]),
        TrackedDisk(**value["disk"]),
        int(value["lost"]),
        Account(ToldSectors(**account["told"]), int(account["written"]), int(account["tolerance"])),
        _extents(value["extents"]),
    )


def _extents(value: Sequence[Sequence[int]]) -> tuple[DirtyExtent, ...]:
    return tuple(DirtyExtent(int(start), int(end)) for start, end in value)
