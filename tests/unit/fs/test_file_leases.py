"""Leases: who opens the file meanwhile waits, and whoever has the lease lives on."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.fs.file_leases import take_file_lease

#: Takes a lease, says so, and gives it back once it is told to.
TAKES = """
import fcntl, os, sys
from agent.fs.file_leases import take_file_lease
fd = os.open(sys.argv[1], os.O_RDONLY)
take_file_lease(fd, fcntl.F_RDLCK)
print("taken", flush=True)
sys.stdin.read()
print("lives", flush=True)
"""


def test_who_opens_the_file_meanwhile_ends_nobody(tmp_path: Path) -> None:
    """The kernel tells whoever has the lease by a signal, which by default would be the end of the agent."""
    path = tmp_path / "file"
    path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", TAKES, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as taker:
        assert taker.stdout is not None
        assert "taken\n" == taker.stdout.readline()
        with pytest.raises(BlockingIOError):
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        assert "lives\n" == taker.communicate("")[0]
    assert 0 == taker.returncode


def test_it_is_given_to_nobody_beside_a_writer(tmp_path: Path) -> None:
    """As the kernel says it."""
    path = tmp_path / "file"
    with path.open("w"), path.open("rb") as reads, pytest.raises(BlockingIOError):
        take_file_lease(reads.fileno(), fcntl.F_RDLCK)
