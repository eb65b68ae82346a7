"""The disks of ``hikae demo --device``: sparse files below its directory, each behind a loop device that goes with this
process."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import NotFound, NotPermitted, Refused
from agent.fs.attaching.loop_device import attach_loop
from agent.fs.attaching.mounting import unmount_at_once

OPERATION = "demonstrate a device"
_TOOLS = {"mkfs.ext4": "apt-get install e2fsprogs", "mount": "apt-get install mount"}
_PIECE = 1 << 20
#: So many ranges that differ are told.
_TOLD = 20
#: How often a filesystem that is busy is tried again, and seconds between.
_TRIES, _PAUSE = 40, 0.25


def require_disks(user: int) -> None:
    """``user``: who asks. Raises ``NotPermitted`` for who may not make any, ``NotFound`` for what is missing for that."""
    if user:
        raise NotPermitted(OPERATION, "--device", "only root may attach and mount disks", "use sudo")
    for tool, remedy in _TOOLS.items():
        if shutil.which(tool) is None:
            raise NotFound(OPERATION, tool, "it is not installed", remedy)


@dataclass(slots=True)
class DemoDisk:
    """``image``: the file below it; ``device``: its node; ``files``: where its filesystem is mounted, while it is."""

    image: Path
    device: Path
    files: Path
    held: int

    @classmethod
    def make(cls, base: Path, name: str, size: int) -> DemoDisk:
        """A disk of zeros. Raises ``Refused`` where no loop device can be had."""
        image, files = base / f"{name}.disk", base / f"{name}.files"
        with image.open("xb") as made:
            made.truncate(size)
        files.mkdir()
        with image.open("r+b") as opened:
            held, node = attach_loop(opened.fileno(), str(base), OPERATION)
        return cls(image, Path(node), files, held)

    def format(self) -> None:
        """An empty ext4."""
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(self.device))

    def mount(self) -> None:
        """Its filesystem stands at ``files``; one that was cut off plays its journal first."""
        _run("mount", "-t", "ext4", str(self.device), str(self.files))

    def unmount(self) -> None:
        """All that was written is on the disk, and nobody writes any more. While its filesystem stands still for a commit it is
        busy, for a moment; and what another program's mount namespace still has of it is written when that goes."""
        for _ in range(_TRIES):
            with suppress(Refused):
                _run("umount", str(self.files))
                break
            time.sleep(_PAUSE)
        else:
            _run("umount", str(self.files))
        for _ in range(_TRIES):
            if self._is_let_go():
                break
            time.sleep(_PAUSE)

    def _is_let_go(self) -> bool:
        """Whether no filesystem has it open; no agent claims it while it is the primary's."""
        try:
            os.close(os.open(self.device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """It is gone once nobody has it open."""
        unmount_at_once(str(self.files))
        os.close(self.held)


def differing_ranges(one: Path, other: Path) -> list[str]:
    """Where two disks differ, bit for bit, found without hikae's code; at most a few."""
    found: list[str] = []
    with one.open("rb") as a, other.open("rb") as b:
        for at, (left, right) in enumerate(_pieces(a.fileno(), b.fileno())):
            if left != right and len(found) < _TOLD:
                found.append(f"bytes {at * _PIECE:,} to {(at + 1) * _PIECE:,} differ")
    return found


def _pieces(one: int, other: int) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while True:
        left, right = os.pread(one, _PIECE, at), os.pread(other, _PIECE, at)
        if not left and not right:
            return
        yield left, right
        at += _PIECE


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(OPERATION, " ".join(words), done.stderr.strip() or f"code {done.returncode}", "see dmesg")
