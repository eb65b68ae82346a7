"""When an empty commit holds the apply, and when it passes."""

from __future__ import annotations

from agent.apply.brake import Counts, judge, trailing_empty
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber


def _commit(number: int, entries: int) -> Commit:
    return Commit(CommitNumber(number), CommitNumber(number - 1), bytes(32), 0, 0, True, entries, 0)


def test_an_emptied_source_holds() -> None:
    """Nothing but the root, where there was something."""
    hold = judge(Counts(3), _commit(7, 0), CommitNumber(6), NOTHING)
    assert hold is not None
    assert ("source-emptied", 6) == (hold.code, hold.since)


def test_an_empty_standby_may_stay_empty() -> None:
    """From nothing to nothing is no loss."""
    assert judge(Counts(), _commit(7, 0), CommitNumber(7), NOTHING) is None


def test_a_source_with_entries_passes() -> None:
    """One entry is enough here; shares are weighed elsewhere."""
    assert judge(Counts(1000), _commit(7, 1), NOTHING, NOTHING) is None


def test_accepting_lets_exactly_this_emptying_pass() -> None:
    """An acceptance covers the run of empty commits that it was typed in, not a later one."""
    assert judge(Counts(3), _commit(9, 0), CommitNumber(6), CommitNumber(7)) is None
    assert judge(Counts(3), _commit(12, 0), CommitNumber(11), CommitNumber(7)) is not None


def test_the_run_of_empty_commits_begins_after_the_last_full_one() -> None:
    """Full, empty, full, empty, empty: the second emptying is the one in force."""
    commits = [_commit(number, entries) for number, entries in ((1, 5), (2, 0), (3, 4), (4, 0), (5, 0))]
    assert 4 == trailing_empty(commits)
    assert NOTHING == trailing_empty(commits[:3])
    assert NOTHING == trailing_empty([])
