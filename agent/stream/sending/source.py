"""What the sender needs of a primary: its catalog at a moment, its bytes, and a way to have files captured again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from agent.capture.outlet import Lack
from agent.core.chunks import ChunkRef
from agent.core.commit import Commit
from agent.core.digest import Digest
from agent.core.ids import CommitNumber, Epoch, ObjectId
from agent.stream.locator import CommitMark


class PendingMark(Protocol):
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

    def knows(self, mark: CommitMark) -> bool:
        """Whether that very commit is ours, and its moment can be asked for."""
        ...

    def sums(self, at: CommitNumber) -> Digest:
        """The sums of the state at a commit. Raises ``NotFound`` when it was pruned."""
        ...

    def knows_epoch(self, epoch: Epoch) -> bool:
        """Whether it was ours, or went before ours."""
        ...

    def anew_since(self) -> CommitNumber:
        """The newest commit that ended everything before it; ``NOTHING`` for none."""
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

    def object(self, id: ObjectId) -> bytes | None:
        """The newest row of an object, in a device of the chunk of that number."""
        ...

    def read(self, refs: Sequence[ChunkRef]) -> list[bytes | Lack]:
        """The bytes of each, if their name still comes out right, else why not."""
        ...

    def force(self, objects: Sequence[ObjectId]) -> PendingMark:
        """Have these objects captured again; what they hold then is given to the feed."""
        ...

    def path_of(self, id: ObjectId) -> bytes | None:
        """Where the object stands, for people; None when nowhere."""
        ...

    def rest(self) -> None:
        """Nothing is read for now: what was opened to read need not stay open."""
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...
