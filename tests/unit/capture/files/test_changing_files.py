"""When a file that changes is read, and when what was read is taken."""

from __future__ import annotations

import os

import pytest

from agent.capture.files.changing_files import PATIENCE, QUIET_BYTES, QUIET_MOST, STOPS, TRIES, ChangingFiles

MS = 1_000_000
GIB = 1 << 30
ONE, OTHER = b"one", b"other"


def stat_of(size: int, ctime: int) -> os.stat_result:
    """Of a file that last changed at ``ctime``."""
    return os.stat_result(
        (0o100644, 1, 1, 1, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, 0, ctime),
        {"st_ctime_ns": ctime, "st_mtime_ns": ctime, "st_atime_ns": ctime},
    )


def test_reads_that_are_in_vain_are_counted() -> None:
    """The last of them is taken; a quiet one, or one that was taken, begins anew."""
    restless = ChangingFiles()
    assert not restless
    assert [True] * (TRIES - 1) + [False] == [restless.is_read_again(ONE, changed=True) for _ in range(TRIES)]
    assert not restless
    assert restless.is_read_again(ONE, changed=True)
    assert restless
    assert restless.is_read_again(OTHER, changed=True)
    assert not restless.is_read_again(ONE, changed=False)
    assert restless.is_read_again(ONE, changed=True)


@pytest.mark.parametrize(
    ("size", "age", "expected"),
    [
        (GIB, 0, True),
        (GIB, GIB // QUIET_BYTES - 1, True),
        (GIB, GIB // QUIET_BYTES, False),
        (1000 * GIB, QUIET_MOST - 1, True),
        (1000 * GIB, QUIET_MOST, False),
        (GIB, -5 * MS, False),
    ],
)
def test_how_long_it_must_be_quiet(size: int, age: int, expected: bool) -> None:
    """By its size, up to a limit; a change in the future says nothing."""
    now = 1_000_000 * MS
    assert expected == ChangingFiles().is_being_written(ONE, stat_of(size, now - age), now)


def test_nobody_waits_for_ever() -> None:
    """Who goes on writing is read all the same; and waited for again the next time."""
    restless, now = ChangingFiles(), 1_000_000 * MS
    waited = [restless.is_being_written(ONE, stat_of(GIB, now + n * MS), now + n * MS) for n in range(PATIENCE // MS)]
    assert all(waited)
    end = now + PATIENCE
    assert restless.is_being_written(OTHER, stat_of(GIB, end), end)
    assert not restless.is_being_written(ONE, stat_of(GIB, end), end)
    assert restless.is_being_written(ONE, stat_of(GIB, end), end)


def test_a_reading_is_ended_so_often() -> None:
    """Then the file is read to its end, which begins the count anew."""
    restless = ChangingFiles()
    assert [True] * STOPS + [False] * 2 == [restless.is_stopped(ONE) for _ in range(STOPS + 2)]
    assert restless.is_stopped(OTHER)
    assert not restless.is_read_again(ONE, changed=False)
    assert restless.is_stopped(ONE)
