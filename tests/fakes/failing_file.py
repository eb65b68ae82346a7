"""A file as a disk that begins to fail: reads of the ranges that a control file names answer EIO.

Executed (``python -m fakes.failing_file FILE CONTROL DIRECTORY``): ``DIRECTORY/image`` is FILE under FUSE, and a loop device may
stand on it. A line of CONTROL is a range in bytes, ``START END``.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.generations.mounting.fuse import MountOptions, serve_mount
from fakes.eventually import eventually
from fakes.loop_image import run

_IMAGE = "image"


class FailingFile:
    """The filesystem: one directory, and in it the image. One thread."""

    use_ns = True

    def __init__(self, file: str, control: str) -> None:
        self._below = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        self._control = control
        self.was_mounted = self.checked = False

    def init_with_config(self, _connection: Any, _config: Any) -> None:  # Any: structures of libfuse
        """It is mounted."""
        self.was_mounted = True

    def getattr(self, path: str, _handle: int | None = None) -> dict[str, int]:
        """``stat``."""
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 1, "st_ino": 1}
        if path != f"/{_IMAGE}":
            raise OSError(errno.ENOENT, "nothing stands there")
        size = os.fstat(self._below).st_size
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_ino": 2, "st_size": size}

    def readdir(self, _path: str, _handle: int) -> Iterator[str]:
        """What stands in it."""
        yield from (".", "..", _IMAGE)

    def open(self, path: str, _flags: int) -> int:
        """Any handle is the image's."""
        self.getattr(path)
        return 1

    def read(self, _path: str, size: int, offset: int, _handle: int) -> bytes:
        """A range, unless a part of it is bad."""
        with open(self._control) as control:
            for line in control:
                start, end = map(int, line.split())
                if start < offset + size and offset < end:
                    raise OSError(errno.EIO, "a bad place")
        return os.pread(self._below, size, offset)

    def write(self, _path: str, data: bytes, offset: int, _handle: int) -> int:
        """Writes go through, as on a disk that has places in reserve."""
        return os.pwrite(self._below, data, offset)

    def fsync(self, _path: str, _datasync: int, _handle: int) -> int:
        """As below."""
        os.fsync(self._below)
        return 0


class FailingDisk:
    """A loop device over it: ``device``."""

    def __init__(self, base: Path, image: Path) -> None:
        self.base, self.image = base, image
        self.device = ""
        self._process: subprocess.Popen[bytes] | None = None

    def fails(self, *ranges: Sequence[int]) -> None:
        """These ranges (start, end) cannot be read from now on, and no others. What the system kept of it is forgotten."""
        text = "".join(f"{start} {end}\n" for start, end in ranges)
        (self.base / "control.new").write_text(text)
        (self.base / "control.new").rename(self.base / "control")
        self.forget()

    def forget(self) -> None:
        """Nothing of it is in memory."""
        fd = os.open(self.base / "at" / _IMAGE, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)

    def attach(self) -> None:
        """It is there."""
        at = self.base / "at"
        at.mkdir(exist_ok=True)
        words = (sys.executable, "-m", "fakes.failing_file", str(self.image), str(self.base / "control"), str(at))
        root = Path(__file__).resolve().parents[2]
        environment = {**os.environ, "PYTHONPATH": f"{root / 'tests'}:{root}"}
        self._process = subprocess.Popen(words, env=environment)
        eventually(lambda: os.path.ismount(at))
        self.device = run("losetup", "--find", "--show", str(at / _IMAGE)).strip()

    def detach(self) -> None:
        """It is gone."""
        if self.device:
            subprocess.run(("losetup", "--detach", self.device), check=False)
        subprocess.run(("umount", "--lazy", str(self.base / "at")), check=False)
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def failing_disk(base: Path, image: Path) -> Iterator[FailingDisk]:
    """A disk over an image file, which is well at first. ``base``: an empty directory."""
    disk = FailingDisk(base, image)
    (base / "control").write_text("")
    try:
        disk.attach()
        yield disk
    finally:
        disk.detach()


if __name__ == "__main__":
    serve_mount(FailingFile(*sys.argv[1:3]), sys.argv[3], MountOptions("failing", writable=True))
