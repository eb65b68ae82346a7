"""Numbers sort as time does and are shown as operators say them."""

from agent.core.errors import Refused, WireError
from agent.core.ids import NOTHING, commit_number, epoch_of, object_id, seq_of, shown_commit


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
