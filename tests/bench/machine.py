"""Where it is measured: programs that are there, room in memory, a disk, and what the machine is."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import memory
from bench.crew import Failed, finish
from bench.sizes import GIB
from fakes import loop_image

MEMORY = Path("/dev/shm")
#: Of a job's directory: the secondary's filesystem.
OTHER = "other"
_DISKS = (Path("/var/tmp"), Path("/tmp"))
_NOT_A_DISK = {"tmpfs", "ramfs", "devtmpfs"}
_VERSIONS = {
    "rsync": ("rsync", "--version"),
    "restic": ("restic", "version"),
    "borg": ("borg", "--version"),
    "lsyncd": ("lsyncd", "-version"),
    "syncthing": ("syncthing", "--version"),
}


class Unmeasurable(Exception):
    """This machine cannot give the figure; the message says why, for the table."""


def program(name: str) -> str:
    """The path of a program. Raises :class:`Unmeasurable`."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        raise Unmeasurable(f"{name} is not installed")
    return found


@contextmanager
def two_filesystems(base: Path) -> Iterator[None]:
    """Two filesystems in memory, at ``base`` and at ``base / OTHER``, as two servers never share one: else the primary's
    watcher is told of all that is written to the standby. Without root both nodes are on the one that is there."""
    if os.geteuid() != 0:
        yield
        return
    with filesystem_in_memory(base), filesystem_in_memory(base / OTHER):
        yield


@contextmanager
def filesystem_in_memory(where: Path) -> Iterator[Path]:
    """One of its own at ``where``, which is made. Takes root."""
    where.mkdir(exist_ok=True)
    finish(("mount", "-t", "tmpfs", "-o", "size=95%,nr_inodes=0,mode=0755", "hikae-bench", str(where)))
    try:
        yield where
    finally:
        finish(("umount", "-l", str(where)))


def of_the_other(base: Path) -> Path:
    """Where things of the secondary, or of another copy, go."""
    other = base / OTHER
    return other if other.is_mount() else base


@contextmanager
def ext4_on_disk(base: Path, mebibytes: int) -> Iterator[Path]:
    """A fresh ext4 filesystem on a loop device whose image lies on a disk, mounted below ``base``.

    Raises :class:`Unmeasurable` where that cannot be."""
    if os.geteuid() != 0:
        raise Unmeasurable("mounting an ext4 image takes root")
    if not loop_image.can_mount():
        raise Unmeasurable("this machine has no free loop device, or no mkfs.ext4")
    where = base / "disk"
    image = _disk() / f"hikae-bench-{os.getpid()}.img"
    try:
        loop_image.make_image(image, mebibytes)
        with loop_image.mounted(image, where):
            yield where
    finally:
        image.unlink(missing_ok=True)


def surroundings(before: float) -> list[str]:
    """What the figures were measured with; ``before``: the load average at the beginning."""
    return [
        f"{os.cpu_count()} cores, {memory.total() / GIB:.0f} GiB",
        f"Linux {platform.release()}, Python {platform.python_version()}",
        f"load average {before:.1f} when it began, {os.getloadavg()[0]:.1f} when it ended",
        ", ".join(_versions()) or "no peer is installed",
    ]


def _versions() -> Iterator[str]:
    for name, words in _VERSIONS.items():
        try:
            said = finish((program(words[0]), *words[1:]), {"STNOUPGRADE": "1"})
        except (Unmeasurable, Failed):
            continue
        yield f"{name} {_first_number(said.split())}"


def _first_number(words: Sequence[str]) -> str:
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "?")


def _disk() -> Path:
    for place in _DISKS:
        if place.is_dir() and finish(("findmnt", "-no", "FSTYPE", "-T", str(place))).strip() not in _NOT_A_DISK:
            return place
    raise Unmeasurable(f"none of {', '.join(map(str, _DISKS))} is on a disk")
