"""An ext4 filesystem on a loop device whose backing file can be copied at any instant: what a power cut would leave."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def run(*words: str) -> str:
    """One program that must succeed; its output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def make_image(image: Path, mebibytes: int) -> None:
    """An empty ext4 filesystem in a sparse file."""
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))


@contextmanager
def mounted(image: Path, where: Path) -> Iterator[Path]:
    """The filesystem in ``image`` at ``where``."""
    where.mkdir(exist_ok=True)
    run("mount", "-o", "loop", str(image), str(where))
    try:
        yield where
    finally:
        run("umount", str(where))


@contextmanager
def after_a_power_cut(image: Path, where: Path) -> Iterator[Path]:
    """Mount a copy of the image as it is at this instant; its journal is replayed as after a cut."""
    copy = image.with_suffix(".copy")
    run("cp", "--sparse=always", str(image), str(copy))
    try:
        with mounted(copy, where) as there:
            yield there
    finally:
        copy.unlink()


def can_mount() -> bool:
    """Whether this machine lets us mount loop images."""
    probe = subprocess.run(["losetup", "-f"], capture_output=True, check=False) if shutil.which("losetup") else None
    return probe is not None and probe.returncode == 0 and shutil.which("mkfs.ext4") is not None
