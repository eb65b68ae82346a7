"""Words, texts, times and counts that a peer says, refused where they are too long or impossible: each raises ``WireError``."""

from __future__ import annotations

from agent.stream.messages import TEXT_MAX, bad

#: Characters of a word.
WORD_MAX = 64
_NUMBER_LIMIT = 1 << 63


def said_word(value: str) -> str:
    """A stable word."""
    if len(value) > WORD_MAX:
        raise bad("a word that is too long")
    return value


def said_text(value: str) -> str:
    """A sentence for people."""
    if len(value) > TEXT_MAX:
        raise bad("a text that is too long")
    return value


def said_moment(value: int) -> int:
    """UTC ns of a time that a calendar has."""
    if not 0 <= value < _NUMBER_LIMIT:
        raise bad(f"the time {value}")
    return value


def said_number(value: int) -> int:
    """A count that a signed number of 64 bits holds."""
    if value >= _NUMBER_LIMIT:
        raise bad(f"the number {value}")
    return value
