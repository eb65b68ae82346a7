"""Debian's fio, which writes at random for as long as a block lasts, or once what it can verify afterwards."""

from __future__ import annotations

import json
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


class FioVerified:
    """A file of which fio wrote some blocks, in random order, and keeps in ``notes`` (a directory) which these are."""

    #: So many are written; the file has twice as many.
    BLOCKS = 512

    def __init__(self, notes: Path, seed: int) -> None:
        self._notes = notes
        self._words = ["fio", "--name=v", "--thread", "--filename=verified", "--size=4m", "--bs=4k", "--rw=randwrite"]
        self._words += [f"--randseed={seed}", "--verify=crc32c", f"--aux-path={notes}", "--output-format=json"]

    def write(self, where: Path) -> None:
        """Half of it, so that a verify has to know which. It is synced when this returns."""
        self._notes.mkdir()
        written = self._run(
            where, "--do_verify=0", f"--number_ios={self.BLOCKS}", "--end_fsync=1", "--verify_state_save=1"
        )
        assert (0, self.BLOCKS) == (written[0], written[2]), written

    def found(self, where: Path) -> tuple[str, int]:
        """What fio says is wrong with it, and how many blocks it read."""
        code, said, _, read = self._run(where, "--verify_only=1", "--verify_state_load=1", "--verify_fatal=1")
        return said or ("" if code == 0 else f"it ended with {code}"), read

    def _run(self, where: Path, *words: str) -> tuple[int, str, int, int]:
        """The exit code, what was said of an error, and how many blocks were written and read."""
        done = subprocess.run([*self._words, *words], capture_output=True, text=True, check=False, cwd=where)
        job = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]
        return done.returncode, done.stderr, job["write"]["total_ios"], job["read"]["total_ios"]


def _has_written(process: subprocess.Popen[bytes]) -> bool:
    """Whether anything of it reached the disk (proc(5))."""
    assert process.poll() is None, "fio ended by itself"
    told = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    return int(told["write_bytes"]) >= 1 << 20
