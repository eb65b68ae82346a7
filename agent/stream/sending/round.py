"""What every round has in common: a peer is brought from its commit to one of ours, from the source or by the spool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from agent.chunking.references import row_references
from agent.core.chunks import DATA
from agent.core.commit import Commit
from agent.core.errors import CalledOff, TryAgain
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.stream.messages import Batch
from agent.stream.sending.feed import PeerQueue
from agent.stream.sending.rounds import Rounds, Stalled
from agent.stream.sending.source import PendingMark, Source
from agent.stream.sending.talk.call import Conversation

#: What is the matter with files, see ``Stalled``.
NOT_READ = "cannot be read as captured"
NOT_CAPTURED = "must be captured again, and that does not come to an end"
_TICKET_WAIT = 0.5
_REST = 0.1
#: Looking at so many rows takes about half a second.
_BACKLOG_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a round works with. ``queue``: what is captured meanwhile; ``given``: bytes that were captured for any peer so far;
    ``compact``: the peer takes packed rows and implied names; ``asks_first``: it may have any content already, so what the queue
    holds is dropped and read again where it is lacking."""

    talk: Conversation
    source: Source
    queue: PeerQueue
    given: Callable[[], int]
    compact: bool = False
    asks_first: bool = False


class Round(Protocol):
    """A way from the peer's commit to one of ours. Used by the speaking thread; its figures are read by any."""

    @property
    def base(self) -> CommitNumber:
        """The commit that the peer has: it rises with a seal."""
        ...

    @property
    def absent(self) -> bool:
        """Whether a commit went without something that could not be read."""
        ...

    @property
    def todo(self) -> int | None:
        """About how many bytes it has not come to; None before that is known."""
        ...

    @property
    def since(self) -> int:
        """What ``RoundContext.given`` said when its commit was chosen."""
        ...

    @property
    def unsaid(self) -> int:
        """Bytes, in the clear, that are gathered for the next batch."""
        ...

    def run(self) -> Iterator[Batch]:
        """To its end. Raises ``Ended``, ``TryAgain``, ``Stalled``, ``NotFound`` (history is pruned)."""
        ...


def rest_fruitless(talk: Conversation, source: Source, rounds: Rounds, unread: Collection[ObjectId]) -> Iterator[Batch]:
    """A round brought nothing, for these objects: the next one need not come at once. Raises ``Stalled`` when that goes on."""
    if rounds.fruitless.nothing(talk.now()):
        raise Stalled.by_files(talk.peer, source, unread, NOT_READ)
    yield from talk.rest(_REST)


def has_passed(ticket: PendingMark) -> bool:
    """Whether it has come through; waits so briefly that heartbeats go on. Raises ``CalledOff``: nobody will see to it."""
    try:
        ticket.wait(_TICKET_WAIT)
    except CalledOff:
        raise
    except TryAgain:
        return False
    return True


def backlog(source: Source, base: CommitNumber, newest: Commit, most: int = _BACKLOG_ROWS) -> int:
    """About how many bytes of content a peer at ``base`` lacks; of a difference with more than ``most`` rows, at least so
    many, and what there is more than there was."""
    if base == NOTHING:
        return newest.bytes
    total = looked = 0
    for rows in source.difference(base, newest.number):
        for _, old, new in rows:
            if new is not None:
                total += sum(ref.length for ref in row_references(old, new, source.piece) if ref.kind == DATA)
        looked += len(rows)
        if looked >= most:
            was = source.commit_at(base)
            return max(total, newest.bytes - (was.bytes if was is not None else 0))
    return total
