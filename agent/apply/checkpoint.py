"""How far the standby is, as it stands durably among the local facts."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from agent.apply.ports import LocalFacts
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.fs.durable import has_silent_stores, timestamp_grain_ns
from agent.store.doubt import facts_mark

#: Names of the values: the commit that it equals; what it equals with files that were late, and which these are.
CHECKPOINT, LATE = "checkpoint", "late"
_U64 = struct.Struct(">Q")


def checkpoint_of(local: LocalFacts) -> CommitNumber:
    """The commit that the standby durably equals, large files included; ``NOTHING`` when that is not known."""
    return NOTHING if numbers_of(local.value(LATE)) else number_of(local.value(CHECKPOINT))


def vouch(local: LocalFacts, root: int, synced_at: int, commit: Commit, unsure: Iterable[ObjectId]) -> None:
    """What stands equals ``commit`` but for ``unsure``, and a sync of the open root's filesystem that began at ``synced_at`` (ns)
    is over: what local facts say of all else is believed from now on, by a primary too (law 5)."""
    if doubted := list(unsure):
        local.doubt(doubted)
    if not has_silent_stores(root):
        local.vouch(synced_at - timestamp_grain_ns(root), facts_mark(commit))


def number_of(value: bytes | None) -> CommitNumber:
    """A commit's number as it is kept."""
    return CommitNumber(_U64.unpack(value)[0]) if value else NOTHING


def numbers_of(value: bytes | None) -> tuple[CommitNumber, ...]:
    """Several numbers."""
    return tuple(CommitNumber(number) for (number,) in _U64.iter_unpack(value or b""))


def packed(numbers: Iterable[int]) -> bytes:
    """As they are kept."""
    return b"".join(map(_U64.pack, numbers))
