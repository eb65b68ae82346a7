"""What is forked for a test is what an interpreter of its own would be."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import forked
from fakes.agents import REPOSITORY, pair


@pytest.mark.parametrize("words", [("--version",), ("status",), ("frob",), ("--config", "/nowhere", "agent")])
def test_it_says_what_an_interpreter_of_its_own_says(words: tuple[str, ...]) -> None:
    """Output, words for the operator, and the exit code."""
    expected = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    done = forked.run(words, REPOSITORY, 60)
    assert (expected.returncode, expected.stdout, expected.stderr) == (done.returncode, done.stdout, done.stderr)


def open_in(process: int) -> set[str]:
    """What the descriptors of a process lead to; it may close one while they are read."""
    found = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(descriptor))
    return found


def test_it_takes_over_no_descriptor_and_can_be_killed(tmpfs_dir: Path) -> None:
    """A forked agent has its own descriptors only, in the directory that was named, and its end is seen."""
    with pair(directory=str(tmpfs_dir)) as both:
        both.begin()
        process, server = both.alpha.process, forked.server_of_this_process()
        assert isinstance(process, forked.Forked)
        assert server is not None
        shared = {target for target in open_in(process.pid) & open_in(server) if target != os.devnull}
        assert (set(), str(REPOSITORY)) == (shared, os.readlink(f"/proc/{process.pid}/cwd"))
        process.send_signal(signal.SIGKILL)
        assert (-signal.SIGKILL, -signal.SIGKILL) == (process.wait(30), process.poll())


def test_one_that_does_not_end_in_time_is_killed(tmpfs_dir: Path) -> None:
    """As ``subprocess.run`` does it."""
    with pair(directory=str(tmpfs_dir)) as both, pytest.raises(subprocess.TimeoutExpired):
        forked.run(("--config", str(both.alpha.config), "agent"), REPOSITORY, 0.5)
