"""A primary may serve once all others, or an operator, have said that nobody reigns after it."""

from __future__ import annotations

import pytest

from agent.core.ids import Epoch
from agent.roles.confirmation import Confirmation, Confirmed, lacking

BOTH = ("beta", "gamma")
FIRST, SECOND = Epoch(1, "alpha", b"1" * 16), Epoch(2, "alpha", b"2" * 16)


@pytest.mark.parametrize(
    ("said", "waits_for"),
    [
        (Confirmed(), BOTH),
        (Confirmed(by=frozenset({"beta"})), ("gamma",)),
        (Confirmed(by=frozenset(BOTH)), ()),
        (Confirmed(alone=True), ()),
        (Confirmed(alone=True, known=False), ()),
        (Confirmed(waits=False), ()),
        (Confirmed(waits=False, known=False), BOTH),
        (Confirmed(by=frozenset(BOTH), waits=False, known=False), ()),
    ],
)
def test_who_is_still_to_confirm(said: Confirmed, waits_for: tuple[str, ...]) -> None:
    """Each peer, unless an operator or the configuration says otherwise; of an empty directory only an operator may."""
    assert waits_for == lacking(BOTH, said)


def test_a_dataset_without_peers_waits_for_nobody() -> None:
    """There is nobody who could have been promoted."""
    assert () == lacking((), Confirmed(known=False))


def said(one: Confirmation) -> Confirmed:
    """What is known of it."""
    return one.said(waits=True, known=True)


def test_a_word_is_for_one_reign() -> None:
    """Opened again in the same epoch it stands; in another one, and after a fencing, all say so anew."""
    one = Confirmation()
    one.reigns(FIRST)
    one.by("beta")
    one.serves_alone()
    one.reigns(FIRST)
    stands = said(one)
    one.reigns(SECOND)
    after = said(one)
    one.by("beta")
    one.is_over()
    assert (Confirmed(frozenset({"beta"}), alone=True), Confirmed(), Confirmed()) == (stands, after, said(one))


def test_who_begins_a_reign_serves_in_that_one_only() -> None:
    """An operator's word for the next epoch is used once."""
    one = Confirmation()
    one.reigns(FIRST)
    one.next_serves_alone()
    before = said(one)
    one.reigns(SECOND)
    then = said(one)
    one.reigns(FIRST)
    assert (False, True, False) == (before.alone, then.alone, said(one).alone)
