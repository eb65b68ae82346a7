"""Programs end with what started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.crew import Failed, finish, peak_memory, processor_time, running, until
from fakes.agents import REPOSITORY

_ORPHAN = """
import os, subprocess, sys
from bench.crew import adopt_orphans, end_descendants
adopt_orphans()
child = subprocess.Popen(["sh", "-c", "sleep 1000 & echo $!"], stdout=subprocess.PIPE, text=True)
orphan = int(child.stdout.readline())
child.wait()
ended = end_descendants()
print(ended == [orphan], end_descendants())
"""


def test_an_orphan_of_a_program_is_found_and_ended() -> None:
    """What a peer left in the background does not outlive the run."""
    done = subprocess.run(
        [sys.executable, "-c", _ORPHAN],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{REPOSITORY / 'tests'}:{REPOSITORY}"},
        check=False,
    )
    assert ("True []\n", "") == (done.stdout, done.stderr)


def test_a_program_ends_with_its_block_and_so_does_its_group(tmp_path: Path) -> None:
    """Even when it will not listen."""
    told = tmp_path / "told"
    stubborn = f"trap '' TERM; sleep 1000 & echo $! >{told}.new && mv {told}.new {told}; exec sleep 1000"
    with running(("sh", "-c", stubborn), tmp_path / "log", patience=0.1) as process:
        until(told.exists, "the program's own child")
    assert -9 == process.returncode
    child = Path(f"/proc/{int(told.read_text())}/cmdline")
    until(lambda: not child.exists() or not child.read_bytes(), "the end of its own child")


def test_a_program_that_fails_says_what_it_said() -> None:
    """The exit code and the end of its errors."""
    with pytest.raises(Failed, match="sh ended with 3: no such thing"):
        finish(("sh", "-c", "echo no such thing >&2; exit 3"))
    assert "C\n" == finish(("sh", "-c", "echo $LC_ALL"))


def test_memory_counts_what_a_process_started(tmp_path: Path) -> None:
    """A shell and its child take more than the child; one that is gone takes none."""
    told = tmp_path / "told"
    words = f"sleep 1000 & echo $! >{told}.new && mv {told}.new {told}; wait"
    with running(("sh", "-c", words), tmp_path / "log") as process:
        until(told.exists, "the shell's child")
        child = int(told.read_text())
        assert 0 < peak_memory(child) < peak_memory(process.pid)
    assert 0 == peak_memory(process.pid)


@pytest.mark.parametrize("ends", [True, False])
def test_processor_time_counts_what_a_process_started(tmp_path: Path, ends: bool) -> None:
    """A shell takes next to none; its child's counts while it runs, and when it has ended."""
    told = tmp_path / "told"
    child = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    words = f"{child}; touch {told}; sleep 1000" if ends else f"({child}; touch {told}; sleep 1000) & wait"
    with running(("sh", "-c", words), tmp_path / "log") as process:
        until(told.exists, "the end of the work")
        # The kernel tells hundredths, those of the system apart.
        assert 0.28 <= processor_time(process.pid) < 30
    assert 0.0 == processor_time(process.pid)


def test_a_wait_has_an_end() -> None:
    """It says what did not come."""
    with pytest.raises(Failed, match="the moon"):
        until(lambda: False, "the moon", within=0.01)
