"""A small run of `make incident`: Redis behind HAProxy, the primary dead under load, and back again."""

from __future__ import annotations

import os
import shutil

import pytest

from incident.page import page
from incident.servers import PROGRAMS, servers
from incident.story import Load, Story

_MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
_SMALL = Load(rate=100, before=60, after=30)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
    pytest.mark.skipif(
        bool(_MISSING), reason=f"not installed: {' '.join(_MISSING)} (packages iproute2, haproxy, redis-server)"
    ),
]


@pytest.mark.parametrize("turn", range(int(os.environ.get("HIKAE_SOAK_SEEDS", "1"))))
def test_no_write_that_a_wait_covered_is_missing(turn: int) -> None:
    """Nor any that was confirmed before a switchover; and the page has each step with what it took."""
    with servers("/dev/shm") as made:
        outcome = Story(made, _SMALL, print).tell()
        text = page(outcome, made, _SMALL.rate)
    assert ([], []) == (outcome.missing, outcome.lost_after)
    assert outcome.covered >= _SMALL.before
    assert [f"## {step.title}" for step in outcome.steps] == [
        line
        for line in text.splitlines()
        if line.startswith("## ") and line[3:] in {one.title for one in outcome.steps}
    ]
    assert str(made.base) not in text
