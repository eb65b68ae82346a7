"""A table of system calls on entries of each kind: a watched tree answers as others do, and its standby is the same.

`make test` does a share of the rows, chosen by the seed; `make soak PART=posix` all of them, on ext4 and xfs.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.agents import UNBRAKED, pair
from fakes.loop_image import can_mount, filesystem
from fakes.trees import differences

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
TABLE = Path(__file__).parents[1] / "fakes" / "posix_table.py"
#: Of how many rows `make test` does one.
SHARE = 12

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_watched_tree_answers_and_its_standby_becomes_the_same(
    kind: str, tmpfs_dir: Path, rng: random.Random
) -> None:
    """Every row does the same below a watched and an unwatched directory; then source and standby are equal in everything."""
    if shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"takes mkfs.{kind}")
    first, step = (0, 1) if WHOLE else (rng.randrange(SHARE), SHARE)
    with filesystem(kind, tmpfs_dir) as root, pair(UNBRAKED, source=root / "tree") as both:
        both.begin()
        expected, actual = outcomes(root / "control", first, step), outcomes(both.source / "rows", first, step)
        assert len(expected) > 100
        assert expected == actual
        both.settle()
        assert [] == differences(str(both.source), str(both.target))


def outcomes(where: Path, first: int, step: int) -> dict[str, Any]:
    """What each row of the table did below a directory."""
    where.mkdir()
    words = [sys.executable, str(TABLE), str(where), str(first), str(step)]
    found: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found
