"""Inputs that failed once, each a program of its own beside this file: `make soak PART=cases` runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
CASES = sorted(path.name for path in HERE.iterdir() if path.is_file() and os.access(path, os.X_OK))
WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
RIGHT, CANNOT_RUN = 0, 2

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="most cases need root"),
    pytest.mark.timeout(400),
]


def outcome(case: str, scratch: Path) -> tuple[int, str]:
    """A case's exit code and what it printed; the executable that it tries is this environment's."""
    environment = {**os.environ, "HIKAE": str(Path(sys.executable).parent / "hikae"), "TMPDIR": str(scratch)}
    words = [sys.executable, str(HERE / case)]
    done = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def judge(case: str, scratch: Path) -> None:
    """Run one: it must be right, or say that this machine cannot show it."""
    code, said = outcome(case, scratch)
    if code == CANNOT_RUN:
        pytest.skip(said.strip().splitlines()[-2] if said.count("\n") > 1 else said)
    assert code == RIGHT, f"{case}:\n{said}"


@pytest.mark.skipif(not WHOLE, reason="make soak PART=cases")
@pytest.mark.parametrize("case", CASES)
def test_a_case_is_right(case: str, tmpfs_dir: Path) -> None:
    """Each of them."""
    judge(case, tmpfs_dir)
