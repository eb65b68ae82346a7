"""How far a vault is filled, among the local facts of its node."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.store.local import Local

#: Name of the value, and who keeps the commit; and the name of that from where on moments can be read.
KEY = OWNER = "seeding"
_FLOOR = "seeded-from"
_NUMBER = struct.Struct(">Q")
_FIRST = ObjectId(0)
_FORM = struct.Struct(">QQQ")


@dataclass(frozen=True, slots=True)
class FillMark:
    """``commit``: what the tree was when it began; ``cursor``: every object of it up to this id is in the packs; ``bytes``: of
    content that was passed so far."""

    commit: CommitNumber
    cursor: ObjectId = _FIRST
    bytes: int = 0


def fill_mark(local: Local) -> FillMark | None:
    """The mark; None where nothing is being filled."""
    found = local.value(KEY)
    if not found:
        return None
    commit, cursor, passed = _FORM.unpack(found)
    return FillMark(CommitNumber(commit), ObjectId(cursor), passed)


def set_fill_mark(local: Local, mark: FillMark | None, *, durable: bool = False) -> None:
    """What the vault has by now; None: all of it."""
    value = b"" if mark is None else _FORM.pack(mark.commit, mark.cursor, mark.bytes)
    local.set_value(KEY, value, durable=durable)


def begin_filling(local: Local, commit: CommitNumber) -> None:
    """The tree is this commit, and the vault beside it is to have all of it; durable. No moment before it can be read."""
    local.set_value(_FLOOR, _NUMBER.pack(commit))
    set_fill_mark(local, FillMark(commit), durable=True)


def fill_floor(local: Local) -> CommitNumber:
    """From where on moments can be read; ``NOTHING``: as far as history reaches."""
    found = local.value(_FLOOR)
    return CommitNumber(_NUMBER.unpack(found)[0]) if found else NOTHING


def forget_floor(local: Local) -> None:
    """The catalog itself says so by now."""
    local.set_value(_FLOOR, b"")
