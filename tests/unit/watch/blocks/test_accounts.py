"""The disk's counters against what events told."""

from __future__ import annotations

import pytest

from agent.watch.blocks.accounts import Account, ToldSectors
from agent.watch.blocks.disk import DiskCounters

_QUIET = Account(ToldSectors(100, 100), DiskCounters(5000, 0), 2560)
_BUSY = Account(ToldSectors(100, 100), DiskCounters(5000, 2), 2560)


@pytest.mark.parametrize(
    ("account", "written", "told", "missing"),
    [
        (_QUIET, 0, (0, 0), 0),
        (_QUIET, 80, (80, 80), 0),
        (_QUIET, 80, (500, 90), 0),
        (_QUIET, 80, (80, 79), 1),
        (_QUIET, 80, (79, 80), 1),
        (_QUIET, 8, (0, 0), 8),
        (_BUSY, 5120, (0, 0), 0),
        (_BUSY, 5121, (0, 0), 1),
    ],
)
def test_what_was_counted_and_not_told(account: Account, written: int, told: tuple[int, int], missing: int) -> None:
    """Both events must tell of what is counted, but for what was under way when the counting began."""
    now = ToldSectors(100 + told[0], 100 + told[1])
    assert missing == account.missing(DiskCounters(5000 + written, 0), now, stacked=False)


def test_a_stacked_disk_is_asked_by_what_was_queued() -> None:
    """Completions of a stacked disk tell of parts only."""
    assert 0 == _QUIET.missing(DiskCounters(5080, 0), ToldSectors(180, 100), stacked=True)
