"""Who writes a device or an image: mounts, loop devices, and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent.fs.attaching.device_writers import device_writers
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

_HOLDS = "import sys; held = open(sys.argv[1], sys.argv[2]); print(flush=True); sys.stdin.read()"


def _sentences(path: str) -> list[str]:
    return [one.sentence() for one in device_writers(path)]


def _held(path: Path, mode: str) -> subprocess.Popen[bytes]:
    """A process that has it open."""
    words = (sys.executable, "-c", _HOLDS, str(path), mode)
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_an_image_that_is_only_read_has_no_writer(tmp_path: Path) -> None:
    """Who reads does not count, who writes does, by name and number."""
    image = sparse(tmp_path / "image", 1 << 20)
    for mode, count in (("rb", 0), ("r+b", 1)):
        with _held(image, mode) as process:
            found = device_writers(str(image))
            process.communicate()
        assert [process.pid] * count == [one.process for one in found]


def test_what_is_not_there_has_no_writer(tmp_path: Path) -> None:
    """A missing path is no failure."""
    assert _sentences(str(tmp_path / "none")) == []


@needs_loops
def test_a_mounted_device_is_written_by_the_kernel(tmp_path: Path) -> None:
    """It is said where it is mounted; of its image that the loop device stands on it, and so where it is mounted."""
    image = sparse(tmp_path / "image", 32 << 20)
    at = tmp_path / "at"
    at.mkdir()
    with attached(image) as device:
        assert _sentences(device) == []
        run("mkfs.ext4", "-q", "-F", device)
        run("mount", device, str(at))
        try:
            told = [f"{device} is mounted at {at} (umount {at})"]
            assert (_sentences(device), _sentences(str(image))) == (told, told)
        finally:
            run("umount", str(at))
        assert os.path.exists(device)
