"""How text keeps to a width."""

from __future__ import annotations

import pytest
from rich.text import Text

from agent.status.page.layout import cut_page, wrapped


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


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        (3, ["a", "b", "c"]),
        (2, ["a", "… 2 more lines: hikae status | less"]),
        (1, ["… 3 more lines: hikae status | less"]),
    ],
)
def test_a_page_that_is_too_tall_is_cut_at_its_bottom(height: int, expected: list[str]) -> None:
    """And says what shows all of it."""
    assert expected == cut_page(Text("a\nb\nc"), 40, height, "hikae status").plain.split("\n")
