"""How far the standby is, as it stands durably among the local facts."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from agent.apply.ports import LocalFacts
from agent.core.ids import NOTHING, CommitNumber

#: Names of the values: the commit that it equals; what it equals with files that were late, and which these are.
CHECKPOINT, LATE = "checkpoint", "late"
_U64 = struct.Struct(">Q")


def checkpoint_of(local: LocalFacts) -> CommitNumber:
    """The commit that the standby durably equals, large files included; ``NOTHING`` when that is not known."""
    return NOTHING if numbers_of(local.value(LATE)) else number_of(local.value(CHECKPOINT))


def number_of(value: bytes | None) -> CommitNumber:
    """A commit's number as it is kept."""
    return CommitNumber(_U64.unpack(value)[0]) if value else NOTHING


def numbers_of(value: bytes | None) -> tuple[CommitNumber, ...]:
    """Several numbers."""
    return tuple(CommitNumber(number) for (number,) in _U64.iter_unpack(value or b""))


def packed(numbers: Iterable[int]) -> bytes:
    """As they are kept."""
    return b"".join(map(_U64.pack, numbers))
