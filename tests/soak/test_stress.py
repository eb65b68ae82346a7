"""stress-ng's filesystem stressors on a watched tree, ext4 and xfs: each is killed amid its work, then both trees are equal.

`make test` lets one of them run for two seconds; `make soak PART=stress-ext4` and `PART=stress-xfs` all of them, half an hour.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.loop_image import MAKERS, can_mount, filesystem
from fakes.stress_ng import filesystem_stressors, needs_stress_ng, stressing
from fakes.trees import differences, remove_all

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
HALF_AN_HOUR = 1800
#: MiB that a stressor's files take at most: a disk that is full is another test.
_SMALL = 128
#: A source that became empty would be held.
STAYS = "stays"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices"),
    needs_stress_ng,
]


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_what_stressors_leave_is_on_the_standby(kind: str, tmpfs_dir: Path, rng: random.Random) -> None:
    """Whatever a stressor left when it was killed, standby and source are equal in everything."""
    if shutil.which(MAKERS[kind][0]) is None:
        pytest.skip(f"takes {MAKERS[kind][0]}")
    stressors = filesystem_stressors()
    rng.shuffle(stressors)
    chosen, seconds = (stressors, HALF_AN_HOUR / len(stressors)) if WHOLE else (stressors[:1], 2.0)
    with filesystem(kind, tmpfs_dir) as root, pair(UNBRAKED, source=root / "tree") as both:
        (both.source / STAYS).touch()
        both.begin()
        for stressor in chosen:
            stress(both.source, stressor, seconds)
            assert_mirrored(both, stressor)


def stress(where: Path, stressor: str, seconds: float) -> None:
    """Two of them at once for so long, then killed: what they made stays as it is."""
    print(f"{stressor} for {seconds:.0f} s", flush=True)
    began = time.monotonic()
    with stressing(where, [stressor], _SMALL, 2 * seconds + 10) as running:
        with suppress(subprocess.TimeoutExpired):
            running.wait(seconds)
        early = time.monotonic() - began < seconds / 2
    if early:
        print(f"  {stressor} ended early, with exit code {running.returncode}", flush=True)


def assert_mirrored(both: Pair, stressor: str) -> None:
    """Both trees are equal in everything, and so says a look at every byte."""
    both.settle()
    assert [] == differences(str(both.source), str(both.target)), f"after {stressor}"
    report = both.beta.json("verify", "web", "--deep")
    assert ([], True) == (report["differences"], report["equal"]), f"after {stressor}"
    make_removable(both.source)


def make_removable(root: Path) -> None:
    """Take away what would keep the next stressor, and the end of the test, from removing files."""
    for top in (root, root.parent):
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", str(top)], capture_output=True, check=False)
    for entry in root.iterdir():
        if entry.name not in (".hikae", STAYS):
            # Some stressors make directories deeper than Python can remove.
            remove_all(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
