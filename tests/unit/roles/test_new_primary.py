"""Whom a standby follows by itself, and whom not."""

from __future__ import annotations

import pytest

from agent.core.ids import Epoch, commit_number
from agent.roles.new_primary import CallerStanding, WhatIsHere, judge_caller
from agent.stream.locator import CommitMark

NODES = ("alpha", "beta", "gamma")
FIRST = Epoch(1, "alpha", b"1" * 16)
SECOND = Epoch(2, "beta", b"2" * 16)


def mark(epoch: Epoch, seq: int, digest: bytes = b"d") -> CommitMark:
    """A commit of an epoch."""
    return CommitMark(epoch.token, commit_number(epoch.number, seq), digest * 32)


def made(here: CommitMark | None, *named: CommitMark, speaker: str = "beta", epoch: Epoch = SECOND) -> CallerStanding:
    """What gamma, whose newest commit is ``here``, makes of ``speaker``, who names these."""
    return judge_caller(speaker, epoch, named, WhatIsHere(NODES, (FIRST,), here))


@pytest.mark.parametrize("here", [None, mark(FIRST, 7), mark(FIRST, 5)])
def test_who_has_all_that_is_here_is_followed(here: CommitMark | None) -> None:
    """The same commit, an earlier one of the same epoch, or nothing at all."""
    assert CallerStanding.FOLLOWED is made(here, mark(SECOND, 1), mark(FIRST, 7), mark(FIRST, 3))


@pytest.mark.parametrize("here", [mark(FIRST, 8), mark(FIRST, 7, b"e"), mark(Epoch(1, "alpha", b"x" * 16), 2)])
def test_who_lacks_what_is_here_waits_for_a_person(here: CommitMark) -> None:
    """A later commit, another one of that number, or one of an epoch that it does not know."""
    assert CallerStanding.BEHIND is made(here, mark(SECOND, 1), mark(FIRST, 7), mark(FIRST, 3))


@pytest.mark.parametrize(
    ("speaker", "epoch"),
    [
        ("delta", Epoch(2, "delta", b"4" * 16)),
        ("beta", Epoch(2, "gamma", b"3" * 16)),
        ("beta", Epoch(1, "beta", b"2" * 16)),
        ("beta", Epoch(9_000, "beta", b"2" * 16)),
        ("beta", Epoch(2, "beta", b"1" * 16)),
        ("beta", Epoch(2, "beta", b"short")),
    ],
)
def test_who_proves_nothing_is_not_followed(speaker: str, epoch: Epoch) -> None:
    """No node of the dataset, another's epoch, none that is higher, too high a one, another's id, or none."""
    assert CallerStanding.STRANGER is made(mark(FIRST, 1), mark(FIRST, 7), speaker=speaker, epoch=epoch)


def test_nobody_is_followed_in_the_first_epoch_of_all() -> None:
    """Two files that each name another primary make no node change sides."""
    first = Epoch(1, "beta", b"2" * 16)
    assert CallerStanding.STRANGER is judge_caller("beta", first, (), WhatIsHere(NODES, (), None))
