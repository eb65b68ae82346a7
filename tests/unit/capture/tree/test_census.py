"""What a first sync is about, counted by names and sizes alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.capture.exclude import Rules
from agent.capture.remote import RemoteMounts
from agent.capture.tree.census import BEGINS_AFTER, Census, Counted
from agent.core.clock import ManualClock


@contextmanager
def census(root: Path, clock: ManualClock, rules: Rules | None = None) -> Iterator[Census]:
    """A census of a directory that may begin."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    remote = RemoteMounts(os.fsencode(root))
    one = Census(fd, rules or Rules(), remote, clock)
    clock.advance(BEGINS_AFTER)
    try:
        yield one
    finally:
        one.close()
        remote.close()
        os.close(fd)


def counted(root: Path, rules: Rules | None = None) -> Counted | None:
    """All that is in a directory."""
    with census(root, ManualClock(), rules) as one:
        one.turn(waits=True)
        return one.counted


def test_every_entry_and_the_sizes_of_files(tmp_path: Path) -> None:
    """Directories at any depth, links that lead nowhere, a file of two names once; what is our own, or excluded, not."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / ".hikae").mkdir()
    (tmp_path / ".hikae" / "kept").write_bytes(bytes(500))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "page").write_bytes(bytes(1000))
    (tmp_path / "d" / "e" / "file").write_bytes(bytes(70))
    (tmp_path / "d" / "two").write_bytes(bytes(5))
    os.link(tmp_path / "d" / "two", tmp_path / "names")
    (tmp_path / "loose").symlink_to("nowhere")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(bytes(3))
    assert Counted(7, 78) == counted(tmp_path, Rules(["cache/"]))
    assert Counted(9, 1078) == counted(tmp_path)


def test_a_path_longer_than_any_call_takes(tmp_path: Path) -> None:
    """It is entered step by step, with few directories open at once."""
    name, fds = "n" * 250, [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(100):
        os.mkdir(name, dir_fd=fds[-1])
        fds.append(os.open(name, os.O_RDONLY, dir_fd=fds[-1]))
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fds[-1]))
    for fd in fds:
        os.close(fd)
    before = len(os.listdir("/proc/self/fd"))
    assert Counted(101, 0) == counted(tmp_path)
    assert before == len(os.listdir("/proc/self/fd"))


class Ticking(ManualClock):
    """Each look at it takes a millisecond."""

    def monotonic(self) -> float:
        self.advance(0.001)
        return super().monotonic()


@pytest.mark.parametrize(("waits", "most"), [(True, 60), (False, 900)])
def test_it_takes_little_time_from_others(tmp_path: Path, waits: bool, most: int) -> None:
    """A short turn at a time: each time where nobody has anything else to do, and else a fiftieth of the time."""
    for number in range(1000):
        (tmp_path / f"{number}").write_bytes(b"")
    clock, turns = Ticking(), 0
    with census(tmp_path, clock) as one:
        while one.counted is None:
            clock.advance(0.001)
            one.turn(waits=waits)
            turns += 1
        assert Counted(1000, 0) == one.counted
    assert most // 10 <= turns <= most


def test_it_does_not_begin_at_once(tmp_path: Path) -> None:
    """What is synchronized in a moment needs no total."""
    clock = ManualClock()
    with census(tmp_path, clock) as one:
        clock.advance(-BEGINS_AFTER)
        one.turn(waits=True)
        assert one.counted is None
