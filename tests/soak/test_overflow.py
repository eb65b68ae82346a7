"""Overflow: the agent stands still while more happens than the kernel keeps for it. Everything arrives, and status says how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes.agents import Pair, pair
from fakes.trees import differences

FILES = 60_000
#: Made before the agent is stopped, so that it is stopped in the middle of the burst.
BEFORE = 2_000
A_DIRECTORY = 1_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "watch",
    [
        pytest.param(
            "fanotify", marks=pytest.mark.skipif(os.geteuid() != 0, reason="takes root"), id="fanotify"
        ),
        "inotify",
    ],
)
def test_everything_arrives_after_an_overflow(watch: str) -> None:
    """60,000 small files while the agent is stopped: `wait` alone covers them, nobody need ask for a reconcile."""
    with pair(f'watch = "{watch}"\n') as both:
        both.start()
        (both.source / "before").write_bytes(b"first")
        both.mirror()
        burst(both)
        both.alpha.json("wait", "web", "--applied", "--timeout", "120", timeout=130)
        assert [] == differences(str(both.source), str(both.target))
        seen = both.alpha.dataset()["watch"]
        assert watch == seen["kind"]
        assert seen["overflows"] > 0
        assert seen["by_reconcile"] > 0
        assert 0 < seen["by_event"]
        digests = {agent.dataset()["commit"]["digest"] for agent in both.agents}
        assert 1 == len(digests)


def burst(both: Pair) -> None:
    """Make all files; the primary's agent is stopped soon after the beginning and goes on after the end."""
    for number in range(FILES):
        if number == BEFORE:
            both.alpha.stand_still()
        if number % A_DIRECTORY == 0:
            where = both.source / f"burst {number // A_DIRECTORY}"
            where.mkdir()
        write(where / f"{number}", b"%d\n" % number * 20)
    both.alpha.go_on()


def write(path: Path, data: bytes) -> None:
    """A small file, quickly."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    os.close(fd)
