"""`rm -rf` of a large tree, spread over half a minute: held soon after the limit, and cheap to judge."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from fakes.agents import Pair, pair
from fakes.eventually import eventually

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
FILES = 100_000 if WHOLE else 5_000
SECONDS = 30.0 if WHOLE else 3.0
IN_ONE = 100
LIMIT = 0.3


@pytest.mark.timeout(600)
def test_a_deletion_of_everything_over_half_a_minute_is_held() -> None:
    """The standby keeps almost all of what the limit leaves; everything is received; accepted, both trees are equal."""
    with pair() as both:
        directories = fill(both.source)
        both.start()
        both.mirror(timeout=300)
        entries = both.beta.look()["commit"]["entries"]
        begun = time.monotonic()
        remove(directories, SECONDS)
        both.alpha.wait("durable", within=120)
        received = time.monotonic() - begun
        gone = entries - 1
        problem = both.beta.told("mass-deletion", f"{gone:,} of {entries:,} entries deleted since ", within=120)
        left = sum(len(os.listdir(both.target / directory.name)) for directory in standing(both))
        print(f"{problem['message']}; received after {received:.1f} s; {left:,} of {FILES:,} files left on the standby")
        assert left >= FILES - LIMIT * entries
        assert "held" == both.beta.look()["state"]
        both.beta.json("accept", "web", "--yes")
        both.mirror(timeout=300)
        both.beta.cleared("mass-deletion")
        eventually(lambda: both.beta.look()["state"] == "streaming")


def fill(root: Path) -> list[Path]:
    """Directories with files, and one file that stays: an emptied source would be another hold."""
    (root / "stays").write_text("stays")
    directories = [root / f"d{number}" for number in range(FILES // IN_ONE)]
    for directory in directories:
        directory.mkdir()
        for number in range(IN_ONE):
            (directory / f"f{number}").write_bytes(b"%d\n" % number)
    return directories


def remove(directories: list[Path], seconds: float) -> None:
    """`rm -rf`, one directory after the other, evenly over so many seconds."""
    begun, pause = time.monotonic(), threading.Event()
    for done, directory in enumerate(directories):
        pause.wait(max(0.0, begun + seconds * done / len(directories) - time.monotonic()))
        for name in os.listdir(directory):
            os.unlink(directory / name)
        directory.rmdir()


def standing(both: Pair) -> list[Path]:
    """The directories that the standby still has."""
    return [path for path in both.target.iterdir() if path.is_dir() and path.name.startswith("d")]
