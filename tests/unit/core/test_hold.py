"""Where a hold is accepted."""

from __future__ import annotations

import pytest

from agent.core.hold import ACCEPTED, Hold, on_node, unaccepted
from agent.core.problem_codes import MASS_DELETION, PROBLEM_CODES, ROOT_GONE


def test_what_can_be_accepted_is_accepted_where_it_stands() -> None:
    """A hold that only the end of its cause ends is accepted nowhere; nor is one whose code a newer peer made up."""
    holds = [Hold(code, "sentence") for code in (MASS_DELETION, ROOT_GONE, "of-a-later-release")]
    assert ["beta", "", ""] == [on_node(hold, "beta").accepted_on for hold in holds]


def test_what_can_be_accepted_says_so() -> None:
    """The way out of each code that can be accepted names the command, and of no other hold."""
    naming = {code for code in PROBLEM_CODES.values() if "hikae accept" in code.remedy}
    assert naming == ACCEPTED


@pytest.mark.parametrize(
    ("hold", "stands_on", "expected"),
    [
        (None, "", ("nothing is held", "hikae status shows what the dataset waits for")),
        (Hold("mass-deletion", "9 files"), "alpha", None),
        (Hold("root-replaced", "another root"), "alpha", None),
        (
            Hold("mass-deletion", "9 files"),
            "beta",
            ("beta is held, not alpha: 9 files", "on beta: hikae accept web"),
        ),
        (
            Hold("root-gone", "no root", "mount it"),
            "alpha",
            ("what is held here ends with its cause and not by accept: no root", "mount it"),
        ),
        (
            Hold("standby-gone", "no directory", "hikae resync web --standby"),
            "beta",
            (
                "what is held on beta ends with its cause and not by accept: no directory",
                "on beta: hikae resync web --standby",
            ),
        ),
    ],
)
def test_why_accept_ends_nothing(hold: Hold | None, stands_on: str, expected: tuple[str, str] | None) -> None:
    """It is said on which node what is to be typed, and each node sends to the same one."""
    assert expected == unaccepted(hold, stands_on, "alpha", "web")
