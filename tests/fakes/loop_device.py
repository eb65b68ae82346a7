"""Loop devices over sparse files, for as long as a block lasts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.loop_image import run

#: For tests that attach some.
needs_loops = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("losetup") or not os.path.exists("/dev/loop-control"),
    reason="loop devices need root, losetup and /dev/loop-control",
)


def sparse(path: Path, size: int) -> Path:
    """A file of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


@contextmanager
def attached(image: Path, *options: str) -> Iterator[str]:
    """The loop device that stands on a file."""
    device = run("losetup", "--find", "--show", *options, str(image)).strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)
