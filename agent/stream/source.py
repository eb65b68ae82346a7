"""What the sender needs of a primary: its catalog at a moment, its bytes, and a way to have files captured again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from agent.capture.outlet import ChunkRef
from agent.core.commit import Commit
from agent.core.errors import Refused
from agent.core.ids import CommitNumber, Epoch, ObjectId, shown


class Waiting(Protocol):
    """A mark on its way through capture."""

    def wait(self, timeout: float | None) -> CommitNumber:
        """The newest commit that covers it. Raises ``TryAgain`` after ``timeout`` seconds; it may be called again."""
        ...


class Source(Protocol):
    """One dataset on its primary. Opened, used and closed by the thread that runs the sender."""

    def newest(self) -> Commit | None:
        """The newest commit that is durable in the catalog."""
        ...

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """That commit, unless it never was, or its moment can no longer be asked for."""
        ...

    def difference(self, a: CommitNumber, b: CommitNumber) -> Iterator[list[tuple[bytes, bytes | None, bytes | None]]]:
        """``(key, old row, new row)``, net, objects first. Raises ``NotFound`` when ``a`` was pruned."""
        ...

    def fuzzy(self, a: CommitNumber, b: CommitNumber) -> int:
        """How many files the commits after ``a`` up to ``b`` took as read."""
        ...

    def piece(self, name: bytes) -> bytes | None:
        """The bytes of a kept part of a chunk list."""
        ...

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | None]:
        """The bytes of each, if their name still comes out right, else None: the file has changed since."""
        ...

    def force(self, objects: Sequence[ObjectId]) -> Waiting:
        """Have these objects captured again; what they hold then is given to the feed."""
        ...

    def path_of(self, id: ObjectId) -> bytes | None:
        """Where the object stands, for people; None when nowhere."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


class LineageBroken(Refused):
    """The peer's newest commit is not in our catalog, or is another one there.

    ``epoch``: in which the peer's newest commit ``durable``, of this ``digest``, was made; ``differs``: we have another one of
    that number. The node must take an epoch above both and start over, or, if the peer is ahead in our own epoch, is itself the
    one that was rewound."""

    def __init__(self, peer: str, epoch: Epoch, durable: CommitNumber, digest: bytes, differs: bool) -> None:
        reason = f"its newest commit {shown(durable)} (epoch of {epoch.owner or 'nobody'}) is not part of this node's history"
        super().__init__("replicate", peer, reason, "a new epoch is begun, or see hikae status for who is behind")
        self.peer = peer
        self.epoch = epoch
        self.durable = durable
        self.digest = digest
        self.differs = differs
