"""Where a hold is accepted."""

from __future__ import annotations

from agent.core.hold import ACCEPTED, Hold, on_node
from agent.core.problem_codes import MASS_DELETION, PROBLEM_CODES, ROOT_GONE


def test_what_can_be_accepted_is_accepted_where_it_stands() -> None:
    """A hold that only the end of its cause ends is accepted nowhere; nor is one whose code a newer peer made up."""
    holds = [Hold(code, "sentence") for code in (MASS_DELETION, ROOT_GONE, "of-a-later-release")]
    assert ["beta", "", ""] == [on_node(hold, "beta").accepted_on for hold in holds]


def test_what_can_be_accepted_says_so() -> None:
    """The way out of each code that can be accepted names the command, and of no other hold."""
    naming = {code for code in PROBLEM_CODES.values() if "hikae accept" in code.remedy}
    assert naming == ACCEPTED
