"""The disk's counters against what events told."""

from __future__ import annotations

import pytest

from agent.watch.blocks.accounts import Account, ToldSectors

_QUIET = Account(ToldSectors(100, 100), 5000, 0)
_BUSY = Account(ToldSectors(100, 100), 5000, 512)


@pytest.mark.parametrize(
    ("account", "written", "told", "missing"),
    [
        (_QUIET, 0, (0, 0), 0),
        (_QUIET, 80, (80, 80), 0),
        (_QUIET, 80, (0, 90), 0),
        (_QUIET, 80, (80, 79), 1),
        (_QUIET, 8, (0, 0), 8),
        (_BUSY, 512, (0, 0), 0),
        (_BUSY, 513, (0, 0), 1),
    ],
)
def test_what_was_counted_and_not_told(account: Account, written: int, told: tuple[int, int], missing: int) -> None:
    """What was completed must reach what is counted, but for what was told already when the counting began."""
    now = ToldSectors(100 + told[0], 100 + told[1])
    assert missing == account.missing(5000 + written, now, stacked=False)


def test_a_stacked_disk_is_asked_by_what_was_queued() -> None:
    """Completions of a stacked disk tell of parts only."""
    assert (0, 1) == tuple(_QUIET.missing(5000 + one, ToldSectors(180, 100), stacked=True) for one in (80, 81))
