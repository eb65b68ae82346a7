"""What a tracker kept at a clean stop is believed of the very same disk, in the same boot, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.watch.blocks.accounts import Account, ToldSectors
from agent.watch.blocks.disk import TrackedDisk
from agent.watch.blocks.ports import DirtyExtent
from agent.watch.blocks.saved_map import SavedMap, taken_map, write_map

DISK = TrackedDisk("sda1", "sda", 8 << 20, 2048, 4096, sequence=7, stacked=False)
SAVED = SavedMap("this boot", DISK, 3, Account(ToldSectors(5, 6), 100, 8), (DirtyExtent(0, 65536),))


def test_what_it_says_nothing_about() -> None:
    """Another boot, another or a resized disk, one that the kernel does not number; each is named."""
    unnumbered = replace(DISK, sequence=0)
    found = [
        SAVED.mistake("this boot", DISK),
        SAVED.mistake("another boot", DISK),
        SAVED.mistake("this boot", replace(DISK, sequence=8)),
        SAVED.mistake("this boot", replace(DISK, sectors=8192)),
        replace(SAVED, disk=unnumbered).mistake("this boot", unnumbered),
    ]
    other = "another device stands in its place, or it was resized"
    assert [None, "the machine was started anew", other, other, "this kernel does not number its disks"] == found


def test_it_is_used_once(tmp_path: Path) -> None:
    """As it was written; what cannot be read is as if it were not there, and is gone, too."""
    path = tmp_path / "dirty.json"
    write_map(path, SAVED)
    found = [taken_map(path), taken_map(path)]
    path.write_text('{"boot": 1}')
    assert ([SAVED, None], None, False) == (found, taken_map(path), path.exists())
