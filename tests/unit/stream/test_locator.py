"""Which commit two nodes both know: what is named of a history, and what is found by it."""

from __future__ import annotations

import random

from agent.core.ids import LOCAL_BIT, CommitNumber, commit_number, epoch_of
from agent.stream.locator import LOCATOR_MAX, CommitMark, locator_of, newest_common, with_common


def history(*epochs: tuple[int, int]) -> list[CommitMark]:
    """``(epoch, commits)``: all commits of a node, the oldest first."""
    return [mark(epoch, seq) for epoch, count in epochs for seq in range(1, count + 1)]


def mark(epoch: int, seq: int, token: int = 0) -> CommitMark:
    """A commit of an epoch."""
    return CommitMark(bytes([epoch, token]) * 8, commit_number(epoch, seq), seq.to_bytes(32))


def locator(commits: list[CommitMark], kept: list[CommitMark] | None = None) -> tuple[CommitMark, ...]:
    """That of a node which has these commits."""
    by_number = {one.number: one for one in commits}

    def up_to(number: CommitNumber) -> CommitMark | None:
        found = [each for each in by_number if each <= number]
        return by_number[max(found)] if found else None

    return locator_of(max(by_number, default=CommitNumber(0)), up_to, kept or [])


def test_of_one_epoch() -> None:
    """The newest, and those 1, 2, 4, 8 … before it."""
    assert [100, 99, 98, 96, 92, 84, 68, 36] == [one.number & 0xFF for one in locator(history((1, 100)))]


def test_of_nothing() -> None:
    """A node without a commit names none."""
    assert () == locator([])


def test_of_each_epoch() -> None:
    """What came before a promotion is named as finely as what came after it."""
    found = locator(history((1, 9), (2, 3)))
    assert [(2, 3), (2, 2), (2, 1), (1, 9), (1, 8), (1, 7), (1, 5), (1, 1)] == [
        (epoch_of(one.number), one.number & 0xFF) for one in found
    ]


def test_no_more_than_may_be_named() -> None:
    """Many epochs and kept commits: the newest of them, in order."""
    commits = history(*((epoch, 40) for epoch in range(1, 60)))
    found = locator(commits, commits)
    assert (LOCATOR_MAX, commits[-1]) == (len(found), found[0])
    assert [one.number for one in found] == sorted((one.number for one in found), reverse=True)


def test_kept_commits_are_named() -> None:
    """Wherever they stand between the distances."""
    commits = history((1, 100))
    assert commits[49] in locator(commits, [commits[49]])


def test_commits_of_one_node_alone_are_not_named() -> None:
    """What a node found of its own when it came back is nobody else's."""
    commits = [*history((1, 5)), CommitMark(b"l" * 16, commit_number(1, LOCAL_BIT | 1), bytes(32))]
    assert locator(history((1, 5))) == locator(commits)


def test_a_kept_commit_of_one_node_alone_is_not_named_either() -> None:
    """What a node had alone when it rejoined is kept, and nobody else could know it."""
    alone = mark(1, LOCAL_BIT | 1)
    assert alone not in locator([*history((1, 5)), alone], [alone, mark(1, 2)])


def test_the_common_commit_is_near_where_two_lineages_part(seed: int) -> None:
    """Whatever each made since, also under equal numbers: at most as far before it as the longer of the two went on."""
    rng = random.Random(seed)
    for _ in range(200):
        shared = history((1, rng.randrange(1, 60)), (2, rng.randrange(1, 60)))
        token = rng.randrange(1, 3)
        ours = [*shared, *(mark(3, seq, 1) for seq in range(1, rng.randrange(1, 60)))]
        theirs = [*shared, *(mark(3, seq, token + 1) for seq in range(1, rng.randrange(1, 60)))]
        common = newest_common(locator(theirs), set(ours).__contains__)
        assert shared[-1] == common


def test_inside_an_epoch(seed: int) -> None:
    """A peer that went on with other commits of the same epoch: the newest that both have is found to within its distance."""
    rng = random.Random(seed)
    for _ in range(200):
        length, parted = rng.randrange(2, 300), rng.randrange(1, 300)
        shared = history((1, min(length, parted)))
        theirs = [*shared, *(CommitMark(b"x" * 16, one.number, b"y" * 32) for one in history((1, length))[parted:])]
        common = newest_common(locator(theirs), set(shared).__contains__)
        beyond = len(theirs) - len(shared)
        assert common is None or len(shared) - (common.number & 0xFFFF) <= max(1, beyond)
        assert common is not None or len(theirs) < 2 * beyond + 2


def test_what_a_hello_named_is_named_back() -> None:
    """The newest of its commits that is known here too, among our own, in order, at most as many."""
    commits = history((1, 100))
    named = locator(commits)
    assert sorted((*named, commits[49]), key=lambda one: -one.number) == list(with_common(named, commits[49]))
    assert (named, named) == (with_common(named, None), with_common(named, named[3]))
    full = locator(history(*((epoch, 40) for epoch in range(1, 60))), history((1, 40)))
    assert LOCATOR_MAX == len(with_common(full, mark(1, 39)))


def test_what_two_rejoins_left_is_named_to_nobody() -> None:
    """Before the local commit of an epoch may stand that of an earlier one: a mark of neither would be taken for an attack."""
    locals_of = [mark(epoch, LOCAL_BIT | 1) for epoch in (1, 3)]
    assert [mark(5, 2), mark(5, 1)] == list(locator([*locals_of, *history((5, 2))]))
    assert [mark(5, 1), mark(1, 2), mark(1, 1)] == list(locator([*history((1, 2)), *locals_of, mark(5, 1)]))
