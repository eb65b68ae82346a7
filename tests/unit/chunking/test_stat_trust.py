"""When a stat is believed."""

from __future__ import annotations

import os

import pytest

from agent.chunking.stat_trust import RACY, Trust, believed, is_clean, kept_ctime, unchanged
from agent.core.ids import ObjectId
from agent.store.local import LocalRow

MS = 1_000_000
GRAIN = 20 * MS


def a_stat(ino: int = 7, size: int = 100, mtime: int = 1000, ctime: int = 2000) -> os.stat_result:
    """A stat with these fields and no others of interest."""
    return os.stat_result(
        (0o100644, ino, 1, 1, 0, 0, size, 0, mtime // 10**9, ctime // 10**9),
        {"st_mtime_ns": mtime, "st_ctime_ns": ctime},
    )


def a_fact(ino: int = 7, size: int = 100, mtime: int = 1000, ctime: int = 2000, clean: bool = True) -> LocalRow:
    """The fact that belongs to :func:`a_stat`."""
    return LocalRow(ObjectId(1), b"handle", ino, ctime, mtime, size, clean, b"")


@pytest.mark.parametrize(
    ("trust", "fact", "expected"),
    [
        (Trust.NONE, a_fact(), False),
        (Trust.CLEAN, a_fact(), True),
        (Trust.CLEAN, a_fact(clean=False), False),
        (Trust.EQUAL, a_fact(clean=False), True),
        (Trust.EQUAL, a_fact(ctime=RACY), False),
        (Trust.EQUAL, a_fact(mtime=1001), False),
        (Trust.EQUAL, a_fact(size=101), False),
        (Trust.CLEAN, a_fact(ino=8), False),
    ],
)
def test_what_each_trust_needs(trust: Trust, fact: LocalRow, expected: bool) -> None:
    """A hint believes nothing, a reconcile what is clean, a busy or new directory what is equal."""
    assert expected is believed(trust, a_stat(), fact)


def test_a_change_just_before_the_sync_is_not_clean() -> None:
    """Clean means older than the sync by more than the grain; never without a sync."""
    assert is_clean(1000 * MS, 1021 * MS, GRAIN)
    assert not is_clean(1000 * MS, 1020 * MS, GRAIN)
    assert not is_clean(1000 * MS, 0, GRAIN)


def test_a_change_just_before_the_read_is_kept_as_racy() -> None:
    """Another change could carry the same ctime."""
    assert kept_ctime(1000 * MS, 1021 * MS, GRAIN) == 1000 * MS
    assert kept_ctime(1000 * MS, 1010 * MS, GRAIN) == RACY


def test_rest_is_seen_by_every_field() -> None:
    """Any difference between the stats around a read means that it changed."""
    assert unchanged(a_stat(), a_stat())
    for other in (a_stat(ino=8), a_stat(size=1), a_stat(mtime=1), a_stat(ctime=1)):
        assert not unchanged(a_stat(), other)
