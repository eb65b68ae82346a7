"""How text keeps to a width."""

from __future__ import annotations

import pytest

from agent.status.page.layout import wrapped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "if it was deleted: hikae resync web --standby (fills it)",
            ["if it was deleted:", "hikae resync web --standby", "(fills it)"],
        ),
        (
            "keep less: hikae generations expire DATASET --dry-run shows it",
            ["keep less: hikae generations", "expire DATASET --dry-run", "shows it"],
        ),
        ("the words of hikae status say what is so", ["the words of hikae status", "say what is so"]),
        ("write a rate, then: hikae reload", ["write a rate, then:", "hikae reload"]),
    ],
)
def test_a_command_is_not_broken_where_a_line_has_room_for_it(text: str, expected: list[str]) -> None:
    """It goes to the next line as a whole; one that no line has room for is broken at its words."""
    assert expected == wrapped(text, 28, "")
