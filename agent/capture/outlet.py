"""Where captured commits go, and how bytes are asked for again: the seam between capture and stream."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from agent.core.commit import Changes, Commit
from agent.core.ids import ObjectId
from agent.core.patch import Runs


class ReadChunk(NamedTuple):
    """Bytes that capture read, under the name that it computed from these very bytes.

    ``kind``: ``chunks.DATA`` or ``chunks.PIECE`` (a part of a long chunk list); ``fresh``: never captured before on this
    node, so no peer can have it and none need be asked; ``runs``: how it is made of chunks of the version before, for a peer that
    has those; may be empty."""

    name: bytes
    kind: int
    data: bytes
    fresh: bool
    runs: Runs = ()


class Room(NamedTuple):
    """What a slow link has room for, in bytes: ``moment``: what it carries in half a second, so a file with more that is new goes
    ahead of its commit; ``now``: of what waits for nothing else, so much may go with a commit now. ``is_measured``: False while
    it is not known yet how slow the link is, and ``moment`` is a guess."""

    moment: int
    now: int
    is_measured: bool = True


class Lack(Enum):
    """Why the bytes of a chunk are not to be had from where they stood."""

    #: Other bytes stand there, or nothing: capture finds out what, and a later commit brings it.
    CHANGED = "changed"
    #: They cannot be read (no permission, a bad sector): nobody knows whether they changed, and no commit will say.
    UNREADABLE = "unreadable"


class Outlet(Protocol):
    """Takes what the pump captured. Every method is called by the pump's thread alone.

    ``content`` and ``commit`` never block for a peer: whoever cannot follow is detached and catches up later. Only
    ``has_room`` waits, and only walking and large content ask for it."""

    def has_room(self, timeout: float) -> bool:
        """Whether more bulk data may come; waits up to ``timeout`` seconds for it."""
        ...

    def room(self) -> Room | None:
        """Of the slowest peer that streams; None while none is slow."""
        ...

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        """Chunks of one large file, ahead of the commit that will name them. ``token`` rises, one per file read;
        ``is_new``: no commit has the file yet, so all its chunks come, in order."""
        ...

    def given_up(self, token: int) -> None:
        """No commit will name what was given under this token."""
        ...

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        """A commit that is durable in the primary's catalog, with the chunks it names that were read for it.

        ``ahead``: token and object of every large file whose content was given to :meth:`content` before."""
        ...

    def waited(self, since: float) -> None:
        """The next commit holds what has waited for the link since then (monotonic seconds)."""
        ...

    def looked(self) -> None:
        """What could not be read may be readable now: the whole root was gone over, or something has become so."""
        ...


class NullOutlet:
    """Nobody listens: a primary without peers, and tests."""

    def has_room(self, timeout: float) -> bool:
        return True

    def room(self) -> Room | None:
        return None

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        return None

    def given_up(self, token: int) -> None:
        return None

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        return None

    def waited(self, since: float) -> None:
        return None

    def looked(self) -> None:
        return None
