"""What a single value of a message may be (law 6)."""

from __future__ import annotations

from agent.core.ids import CommitNumber
from agent.stream.messages import TEXT_MAX, bad

_TOKEN_MAX = 64
_NUMBER_LIMIT = 1 << 63


def sentence(value: str) -> str:
    """A word or a sentence. Raises ``WireError``, as all here."""
    if len(value) > TEXT_MAX:
        raise bad("a text that is too long")
    return value


def short(value: bytes) -> bytes:
    """A token, a digest or a nonce."""
    if len(value) > _TOKEN_MAX:
        raise bad("a token that is too long")
    return value


def number(value: int) -> CommitNumber:
    """The number of a commit, 0 for none."""
    return CommitNumber(counted(value))


def counted(value: int) -> int:
    """A count, a size or an id: 63 bits."""
    if value >= _NUMBER_LIMIT:
        raise bad(f"the number {value}")
    return value
