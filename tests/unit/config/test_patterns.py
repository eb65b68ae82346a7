"""Whatever an operator writes as a pattern is one, or is refused; never an error of the library's, nor a warning."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.exclude import Rules
from agent.config.patterns import compiled, literal
from agent.config.rules import exception, pattern

#: What means something in patterns or in regular expressions, and a few letters.
LINES = st.text(st.sampled_from("[]!^-\\*?/#.&~|:(){}+$, \t\nabz09é\udc80"), max_size=12)
NAMES = (b"a", b"a/b", b"[9-0]", b"z-a/b", b"\xff", b"new\nline")


@given(LINES)
def test_any_line(line: str) -> None:
    """What the configuration takes, capture takes, at either place and below any name."""
    for rule, written in ((pattern, ([line], [])), (exception, (["*"], [line]))):
        try:
            rule(line)
        except ValueError:
            continue
        rules = Rules(*written)
        assert {False, True} >= {rules.excluded(name, is_dir) for name in NAMES for is_dir in (False, True)}
        assert rules.included(b"a") in (False, True)


@pytest.mark.parametrize(
    "line", ["[z-a]", "/a[r-c]?", "x[!9-0]", "[b-a]/", "**/[~-!]*", "[[a]", "[a--b]", "\\", "!", "a/\\"]
)
def test_lines_that_are_none(line: str) -> None:
    """Refused with a reason, by itself and among others."""
    for lines in ([line], ["*.tmp", line]):
        with pytest.raises(ValueError, match=r"\w") as caught:
            compiled(lines)
        assert ValueError is type(caught.value)


@given(st.text(st.sampled_from("[]!^-\\*?/#.&~|:(){}+$ ab"), min_size=1, max_size=8))
def test_a_literal_pattern(text: str) -> None:
    """It matches the path that it was made of, and not the path without its special characters."""
    path = os.path.normpath("/" + text.strip("/")).strip("/")
    if not path:
        return
    rules = compiled([literal(path)])
    other = path.translate({ord(char): "X" for char in "[]*?\\"})
    assert (True, path == other) == (rules.match_file(path), rules.match_file(other))
