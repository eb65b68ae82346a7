"""Numbers: commits, objects and epochs.

A commit number and an object id are both ``epoch << 40 | counter``, so two lineages never
share one, and numbers sort as time does. They fit SQLite's signed 64 bits up to epoch 2**23 - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

CommitNumber = NewType("CommitNumber", int)
ObjectId = NewType("ObjectId", int)
#: Of a chunk in a device, from 1.
ChunkNumber = NewType("ChunkNumber", int)

COUNTER_BITS = 40
_DRAWN_BYTES = COUNTER_BITS // 8
COUNTER_MASK = (1 << COUNTER_BITS) - 1
#: In a commit's counter: the commit is of this node alone (what it found of its own when it came back), and is never offered.
LOCAL_BIT = 1 << COUNTER_BITS - 1
EPOCH_LIMIT = 1 << 23
#: So far above its own a node believes the number of an epoch (law 6): nobody can take the numbers away at once.
EPOCH_STEP = 4096

#: Before every commit: the empty dataset.
NOTHING = CommitNumber(0)

#: The dataset's root directory. The same object in every lineage: it is never created, moved or deleted.
ROOT = ObjectId(1)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One reign: raised by one at every promotion. ``token`` (16 random bytes, the epoch's id) tells two equal numbers apart."""

    number: int
    owner: str
    token: bytes

    @property
    def first_object(self) -> ObjectId:
        """The first id that this reign gives an object. Its counter is drawn with the token, from the lower half of all counters:
        two nodes that were promoted apart take the same number, and their objects hardly ever the same ids."""
        drawn = int.from_bytes(self.token[:_DRAWN_BYTES], "little") & (LOCAL_BIT - 1)
        return object_id(self.number, max(1, drawn))


NO_EPOCH = Epoch(0, "", b"")


def may_follow(number: int, known: int) -> bool:
    """Whether a node that knows of epoch ``known`` believes that there is an epoch ``number``: within a step, and never where
    nothing could follow it."""
    return 0 < number <= min(known + EPOCH_STEP, EPOCH_LIMIT - 1 - EPOCH_STEP)


def commit_number(epoch: int, seq: int) -> CommitNumber:
    """The commit ``seq`` (from 1) of an epoch."""
    return CommitNumber(epoch << COUNTER_BITS | seq)


def object_id(epoch: int, counter: int) -> ObjectId:
    """The object ``counter`` (from 1) of an epoch."""
    return ObjectId(epoch << COUNTER_BITS | counter)


def may_be_sealed(number: int) -> bool:
    """Whether a commit of another node can have this number: counted from 1, and not of that node alone."""
    return 0 < seq_of(number) < LOCAL_BIT


def local_commit(epoch: int, seq: int) -> CommitNumber:
    """The commit ``seq`` (from 1) of those that a node makes for itself in an epoch, above all that it offers."""
    return commit_number(epoch, LOCAL_BIT | seq)


def is_local(number: int) -> bool:
    """Whether a commit is of this node alone."""
    return bool(number & LOCAL_BIT)


def epoch_of(number: int) -> int:
    """The epoch part of a commit number or object id."""
    return number >> COUNTER_BITS


def seq_of(number: int) -> int:
    """The counter part of a commit number or object id."""
    return number & COUNTER_MASK


def shown_commit(number: int) -> str:
    """A commit number as operators see it: ``3.1842``; ``3.1 (local)`` for one that is offered to nobody, ``0`` for nothing
    yet."""
    if seq_of(number) & LOCAL_BIT:
        return f"{epoch_of(number)}.{seq_of(number) ^ LOCAL_BIT} (local)"
    return f"{epoch_of(number)}.{seq_of(number)}" if number else "0"
