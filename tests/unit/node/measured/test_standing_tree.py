"""Since when the tree of a standby is not what the primary is."""

from __future__ import annotations

from contextlib import nullcontext

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.node.measured.standing_tree import StandingTree

HOUR = 3600 * 10**9


class Kept:
    """Commits that are held, each made at its hour; how often they were asked for. Satisfies ``ReadsCommits``."""

    def __init__(self, *numbers: int) -> None:
        self.held = [a_commit(one) for one in numbers]
        self.asked = 0

    def commit_at(self, number: CommitNumber) -> Commit | None:
        self.asked += 1
        return next((one for one in self.held if one.number == number), None)

    def commits(self, after: CommitNumber, limit: int) -> list[Commit]:
        self.asked += 1
        return [one for one in self.held if one.number > after][:limit]


def a_commit(number: int) -> Commit:
    return Commit(CommitNumber(number), NOTHING, b"", number * HOUR, number * HOUR, True, 0, 0)


def _standing(kept: Kept) -> StandingTree:
    return StandingTree(lambda: nullcontext(kept))


def test_after_hours_without_a_change_only_the_new_commit_counts() -> None:
    """The tree equals what was made in the first hour; nothing else was there until the ninth, and then more comes."""
    kept = Kept(1)
    standing = _standing(kept)
    assert standing.until(CommitNumber(1), kept.held[-1]) is None
    kept.held.append(a_commit(9))
    assert 9 * HOUR == standing.until(CommitNumber(1), kept.held[-1])
    kept.held.append(a_commit(10))
    assert 9 * HOUR == standing.until(CommitNumber(1), kept.held[-1])
    assert 10 * HOUR == standing.until(CommitNumber(9), kept.held[-1])
    assert standing.until(CommitNumber(10), kept.held[-1]) is None


def test_nothing_stands_there_yet() -> None:
    kept = Kept(1)
    assert (None, None) == (_standing(kept).until(NOTHING, kept.held[0]), _standing(kept).until(NOTHING, None))


def test_it_is_asked_for_once_and_may_be_held_no_more() -> None:
    kept = Kept(4, 5)
    standing = _standing(kept)
    for _ in range(3):
        assert (None, 4 * HOUR) == (
            standing.commit(CommitNumber(3)),
            standing.until(CommitNumber(3), kept.held[-1]),
        )
    assert 2 == kept.asked
