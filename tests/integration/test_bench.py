"""`make bench` in miniature: the jobs that need no disk and no minutes, so that a change which breaks one shows."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from bench.runner import Runner
from bench.sizes import MIB, QUICK
from bench.specs import jobs

needs_ss = pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed: apt-get install iproute2")

_TINY = replace(
    QUICK,
    hold_memory=False,
    small_files=60,
    small_runs=1,
    large_bytes=8 * MIB,
    large_runs=2,
    vault_changes=2,
    many_files=60,
    many_runs=1,
    role_runs=1,
    changes=20,
    track_seconds=1.0,
    mount_bytes=16 * MIB,
    mount_names=500,
    mount_runs=1,
    days=2,
    busy_seconds=1.0,
    busy_runs=1,
    foreign_runs=1,
)


_ELSEWHERE = {
    "durable-write": "asks for minutes",
    "lag": "asks for other programs",
    "track": "asks for a disk of its own",
    "balanced": "is what tests/platform/test_balanced_failover.py does",
}


@needs_ss
@pytest.mark.parametrize("name", [name for name in jobs(_TINY) if name not in _ELSEWHERE])
def test_every_row_of_a_job_is_measured_or_says_what_is_missing(name: str) -> None:
    """Our own part of each row has a figure, whichever peers this machine has."""
    specs = jobs(_TINY)[name]
    runner = Runner(_TINY, print)
    rows = runner.run({name: specs})
    assert [spec.name for spec in specs] == [row.spec.name for row in rows]
    assert [] == runner.failed
    assert [] == [row.spec.name for row in rows if row.ours is None]
    assert [] == [row.spec.name for row in rows if row.spec.peer_name and row.peer is None and not row.reason]
