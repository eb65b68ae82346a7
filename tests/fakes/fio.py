"""Debian's fio, which writes at random for as long as a block lasts."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.eventually import eventually

needs_fio = pytest.mark.skipif(shutil.which("fio") is None, reason="takes fio (apt-get install fio)")


@contextmanager
def fio_writes(path: Path, size: int, rate: int, seed: int) -> Iterator[None]:
    """``rate`` writes a second, mostly of 4 KiB and past the page cache, into the first ``size`` bytes of a device or a file that
    has them already. It must write to the end of the block."""
    words = ["fio", "--name=w", "--thread", f"--filename={path}", f"--size={size}", "--rw=randwrite", "--direct=1"]
    words += [
        "--bssplit=4k/80:16k/15:128k/5",
        f"--rate_iops={rate}",
        "--time_based",
        "--runtime=1d",
        f"--randseed={seed}",
    ]
    words += ["--allow_file_create=0", "--fallocate=none", "--norandommap", "--output=/dev/null"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, cwd="/") as process:
        try:
            eventually(lambda: _has_written(process))
            yield
            assert process.poll() is None, "fio ended by itself"
        finally:
            process.send_signal(signal.SIGKILL)


def _has_written(process: subprocess.Popen[bytes]) -> bool:
    """Whether anything of it reached the disk (proc(5))."""
    assert process.poll() is None, "fio ended by itself"
    told = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    return int(told["write_bytes"]) >= 1 << 20
