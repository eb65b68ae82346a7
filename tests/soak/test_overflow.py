"""Overflow: the agent stands still while more happens than the kernel keeps for it. Everything arrives, and status says how."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fakes.agents import Agent, pair
from fakes.trees import differences

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
#: The kernel keeps 16,384 events, unless told otherwise.
FILES = {"fanotify": 60_000, "inotify": 60_000 if WHOLE else 20_000}
#: Made before the agent is stopped, so that it is stopped in the middle of the burst.
BEFORE = 2_000
DIRECTORIES = 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "watch",
    [
        pytest.param("fanotify", marks=pytest.mark.skipif(os.geteuid() != 0, reason="takes root")),
        "inotify",
    ],
)
def test_everything_arrives_after_an_overflow(watch: str) -> None:
    """So many small files while the agent is stopped: `wait` alone covers them, nobody need ask for a reconcile."""
    with pair(f'watch = "{watch}"\n') as both:
        directories = [both.source / f"{number}" for number in range(DIRECTORIES)]
        for directory in directories:
            directory.mkdir()
        both.start()
        both.mirror()
        burst(both.alpha, directories, FILES[watch])
        both.alpha.json("wait", "web", "--applied", "--timeout", "120", timeout=130)
        assert [] == differences(str(both.source), str(both.target))
        seen = both.alpha.dataset()["watch"]
        assert watch == seen["kind"]
        assert seen["overflows"] > 0
        assert seen["by_event"] > 0
        assert seen["by_reconcile"] > FILES[watch] // 4
        assert 1 == len({agent.dataset()["commit"]["digest"] for agent in both.agents})


def burst(agent: Agent, directories: list[Path], files: int) -> None:
    """Fill one directory after the other; the agent is stopped soon after the beginning and goes on after the end."""
    for number in range(files):
        if number == BEFORE:
            agent.stand_still()
        write(directories[number * len(directories) // files] / f"{number}", b"%d\n" % number * 20)
    agent.go_on()


def write(path: Path, data: bytes) -> None:
    """A small file, quickly."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    os.close(fd)
