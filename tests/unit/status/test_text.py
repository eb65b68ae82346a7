"""Nothing foreign reaches a terminal as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.status.text import shown, shown_lines


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain.txt", "plain.txt"),
        ("控え ünïcode".encode(), "控え ünïcode"),
        (b"a\nb\tc\r", "a\\nb\\tc\\r"),
        (b"\x1b[2J\x07\x7f", "\\x1b[2J\\x07\\x7f"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_escaped(value: bytes | str, expected: str) -> None:
    """Controls, directional overrides and bytes that are no UTF-8 become visible."""
    assert expected == shown(value)


@given(st.binary() | st.text())
def test_the_result_prints_and_stays(value: bytes | str) -> None:
    """Whatever comes in, the result is printable, encodes as UTF-8, and is not changed by another pass."""
    text = shown(value)
    assert text.isprintable()
    assert text == text.encode().decode()
    assert text == shown(text)


def test_lines_stay_where_lines_are_meant() -> None:
    """A traceback keeps its lines and nothing else."""
    assert "a\nb\\x1b" == shown_lines("a\nb\x1b")
