"""When an empty commit holds the apply, and when it passes; shares, and what holds say."""

from __future__ import annotations

from datetime import datetime

import pytest

from agent.apply.brake.limits import (
    StateCounts,
    is_guarded,
    judge,
    judge_lineage,
    mass_deletion,
    mass_rewriting,
    too_many,
    trailing_empty,
)
from agent.apply.brake.loss_words import LOSS_WORDS
from agent.config.values import Brake
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.ids import NOTHING, CommitNumber

TREE, DEVICE = LOSS_WORDS[DatasetKind.TREE], LOSS_WORDS[DatasetKind.DEVICE]


def _commit(number: int, entries: int) -> Commit:
    return Commit(CommitNumber(number), CommitNumber(number - 1), bytes(32), 0, 0, True, entries, 0)


def test_an_emptied_source_holds() -> None:
    """Nothing but the root, where there was something."""
    hold = judge(StateCounts(3), _commit(7, 0), CommitNumber(6), NOTHING, TREE)
    assert hold is not None
    assert ("held", "the source became empty; the standby keeps its 3 entries") == (hold.code, hold.sentence)


def test_an_empty_standby_may_stay_empty() -> None:
    """From nothing to nothing is no loss."""
    assert judge(StateCounts(), _commit(7, 0), CommitNumber(7), NOTHING, TREE) is None


def test_a_source_with_entries_passes() -> None:
    """One entry is enough here; shares are weighed elsewhere."""
    assert judge(StateCounts(1000), _commit(7, 1), NOTHING, NOTHING, TREE) is None


def test_accepting_lets_exactly_this_emptying_pass() -> None:
    """An acceptance covers the run of empty commits that it was typed in, not a later one."""
    assert judge(StateCounts(3), _commit(9, 0), CommitNumber(6), CommitNumber(7), TREE) is None
    assert judge(StateCounts(3), _commit(12, 0), CommitNumber(11), CommitNumber(7), TREE) is not None


def test_the_run_of_empty_commits_begins_after_the_last_full_one() -> None:
    """Full, empty, full, empty, empty: the second emptying is the one in force."""
    commits = [_commit(number, entries) for number, entries in ((1, 5), (2, 0), (3, 4), (4, 0), (5, 0))]
    assert 4 == trailing_empty(commits)
    assert NOTHING == trailing_empty(commits[:3])
    assert NOTHING == trailing_empty([])


@pytest.mark.parametrize(
    ("count", "share", "whole", "expected"),
    [(30, 0.3, 100, False), (31, 0.3, 100, True), (0, 0.0, 5, False), (1, 0.0, 5, True), (5, 1.0, 5, False)],
)
def test_a_share_must_be_passed(count: int, share: float, whole: int, expected: bool) -> None:
    """Exactly at the limit is not over it; a limit of 100 % is none."""
    assert expected == too_many(count, share, whole)


def test_small_datasets_are_not_guarded() -> None:
    """Below min_entries; an empty one never."""
    guarded = [is_guarded(Brake(min_entries=least), entries) for least, entries in ((100, 99), (100, 100), (0, 0))]
    assert [False, True, False] == guarded


def test_a_lineage_that_lost_most_is_held() -> None:
    """Counts alone decide: as much or more passes, a loss over the limit does not."""
    limits = Brake()
    applied = StateCounts(1000)
    assert judge_lineage(limits, applied, _commit(9, 700), TREE) is None
    assert judge_lineage(limits, applied, _commit(9, 5000), TREE) is None
    assert judge_lineage(limits, StateCounts(99), _commit(9, 1), TREE) is None
    hold = judge_lineage(limits, applied, _commit(9, 699), TREE)
    assert hold is not None
    assert "mass-deletion" == hold.code
    assert "the primary started anew with 699 entries; the standby keeps its 1,000" == hold.sentence


def test_holds_say_how_much_and_since_when() -> None:
    """The time of the first commit in local time, with its day when that is another."""
    at = int(datetime.fromisoformat("2026-11-22T02:14").astimezone().timestamp()) * 10**9
    first = Commit(CommitNumber(6), CommitNumber(5), bytes(32), at, 0, True, 5, 0)
    hold = mass_deletion(TREE, 1204, 1310, first, at + 3600 * 10**9)
    assert "1,204 of 1,310 entries deleted since 02:14:00" == hold.sentence
    hold = mass_rewriting(TREE, 60, 100, first, at + 86_400 * 10**9)
    assert ("mass-rewriting", "60 of 100 files rewritten since 2026-11-22 02:14:00") == (hold.code, hold.sentence)
    hold = mass_deletion(TREE, 2, 3, first, at, b"d/a\n\xff")
    assert r"2 of 3 entries deleted since 02:14:00, d/a\n\xff among them" == hold.sentence
    hold = mass_rewriting(TREE, 2, 3, first, at, b"d/a")
    assert "2 of 3 files rewritten since 02:14:00, d/a among them" == hold.sentence
    hold = mass_deletion(DEVICE, 1204, 1310, first, at + 3600 * 10**9)
    assert "1,204 of 1,310 chunks of 64 KiB became zeros since 02:14:00" == hold.sentence
    hold = mass_rewriting(DEVICE, 60, 100, first, at + 86_400 * 10**9)
    assert "60 of 100 chunks of 64 KiB rewritten since 2026-11-22 02:14:00" == hold.sentence
