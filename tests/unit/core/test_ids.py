"""Numbers sort as time does and are shown as operators say them."""

from agent.core.errors import Refused, WireError
from agent.core.ids import (
    LOCAL_BIT,
    NOTHING,
    Epoch,
    commit_number,
    epoch_of,
    is_local,
    local_commit,
    may_be_sealed,
    object_id,
    seq_of,
    shown_commit,
)


def test_numbers_hold_epoch_and_counter() -> None:
    """A number gives back its parts, and a later epoch is greater than any number before."""
    number = commit_number(3, 1842)
    assert (3, 1842) == (epoch_of(number), seq_of(number))
    assert commit_number(4, 1) > number
    assert object_id(2, 7) == 2 << 40 | 7


def test_numbers_are_shown_with_a_dot() -> None:
    """3.1842 for a commit, 0 for none."""
    assert "3.1842" == shown_commit(commit_number(3, 1842))
    assert "0" == shown_commit(NOTHING)


def test_errors_say_what_on_what_why_and_what_to_do() -> None:
    """The text of an error has all four parts, and leaves out what is empty."""
    error = Refused("promote", "web", "the standby is 3 commits behind", "wait, or add --force")
    assert "cannot promote (web): the standby is 3 commits behind; wait, or add --force" == str(error)
    assert 3 == error.exit_code
    assert "cannot read a row: it is short" == str(WireError("read a row", "", "it is short"))


def test_two_reigns_of_one_number_give_out_ids_of_their_own() -> None:
    """The counter begins where the epoch's id says, and half of all counters are left above it."""
    ours, theirs = (Epoch(5, name, name.encode() * 4) for name in ("alfa", "beta"))
    first = ours.first_object
    assert (5, 5) == (epoch_of(first), epoch_of(theirs.first_object))
    assert abs(first - theirs.first_object) > 1 << 30
    assert 0 < seq_of(Epoch(5, "alpha", b"\xff" * 16).first_object) < LOCAL_BIT
    assert object_id(5, 1) == Epoch(5, "alpha", bytes(16)).first_object


def test_a_commit_of_one_node_alone_is_told_by_its_number() -> None:
    """It sorts above all that the epoch offers and below the next epoch, and nobody takes it from a peer."""
    own = local_commit(3, 1)
    assert commit_number(3, LOCAL_BIT - 1) < own < commit_number(4, 1)
    assert (True, False) == (is_local(own), may_be_sealed(own))
    assert (False, True) == (is_local(commit_number(3, 7)), may_be_sealed(commit_number(3, 7)))
