"""Commits: what is applied as a whole, and how far a peer has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from agent.core.ids import NOTHING, CommitNumber


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows of one commit or of a part of it: ``puts`` are row bytes, ``drops`` are keys (see ``core.rows``)."""

    puts: Sequence[bytes] = ()
    drops: Sequence[bytes] = ()

    def __len__(self) -> int:
        return len(self.puts) + len(self.drops)


class CommitKind(IntEnum):
    """The cause of a commit. The numbers are stored and sent."""

    CHANGES = 0
    #: The first of an epoch.
    EPOCH = 1
    #: An earlier moment's rows, taken up again on the primary.
    ROLLBACK = 2
    #: What a node that was fenced had written alone; a local commit.
    DIVERGENCE = 3
    #: Back to the commit that both sides know; a local commit.
    RETURN = 4


class Quiesced(IntEnum):
    """The degree to which the source stood still for a commit. The numbers are stored and sent."""

    #: Each file is whole.
    FILE = 0
    #: As after a power cut at one moment.
    CRASH = 1
    #: The application made itself ready.
    APPLICATION = 2


@dataclass(frozen=True, slots=True)
class Provenance:
    """The circumstances of a commit, beside its rows.

    ``label``: an operator's word for it; ``same_as``: the commit of this node whose state it has again, ``NOTHING``: none."""

    kind: CommitKind = CommitKind.CHANGES
    reached: Quiesced = Quiesced.FILE
    same_as: CommitNumber = NOTHING
    label: str = ""


#: Of a commit of which there is nothing to say.
ORDINARY = Provenance()


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's header.

    ``number``: epoch and sequence (``core.ids``); ``parent``: the commit that it follows on this node (``NOTHING``: it
    replaces the empty dataset, so every older row ends with it); ``digest``: 32 bytes of the whole state after it;
    ``time``: the primary's UTC ns, never falling; ``received``: receipt here, UTC ns (the same as ``time`` on the
    primary), never falling either; ``consistent``: law 3; ``entries``, ``bytes``: names and sum of file sizes after it;
    ``fuzzy``: how many of its files were committed as read although they never rested; ``files``: regular files after it,
    counted by each node for itself; ``provenance``: what made it.
    """

    number: CommitNumber
    parent: CommitNumber
    digest: bytes
    time: int
    received: int
    consistent: bool
    entries: int
    bytes: int
    fuzzy: int = 0
    files: int = 0
    provenance: Provenance = ORDINARY


@dataclass(frozen=True, slots=True)
class Position:
    """A peer's progress: the newest commit durable there and the newest applied to its standby."""

    durable: CommitNumber = NOTHING
    applied: CommitNumber = NOTHING
