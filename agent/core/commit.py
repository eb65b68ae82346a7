"""Commits: what is applied as a whole, and how far a peer has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.ids import NOTHING, CommitNumber


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows of one commit or of a part of it: ``puts`` are row bytes, ``drops`` are keys (see ``core.rows``)."""

    puts: Sequence[bytes] = ()
    drops: Sequence[bytes] = ()

    def __len__(self) -> int:
        return len(self.puts) + len(self.drops)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's header.

    ``number``: epoch and sequence (``core.ids``); ``parent``: the commit that it follows on this node (``NOTHING``: it
    replaces the empty dataset, so every older row ends with it); ``digest``: 32 bytes of the whole state after it;
    ``time``: the primary's UTC ns, never falling; ``received``: receipt here, UTC ns (the same as ``time`` on the
    primary); ``consistent``: law 3; ``entries``, ``bytes``: names and sum of file sizes after it; ``fuzzy``: how many of its
    files were committed as read although they never rested; ``files``: regular files after it, counted by each node for itself.
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


@dataclass(frozen=True, slots=True)
class Position:
    """How far a peer is: the newest commit durable there and the newest applied to its standby."""

    durable: CommitNumber = NOTHING
    applied: CommitNumber = NOTHING
