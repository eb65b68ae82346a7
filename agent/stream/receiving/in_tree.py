"""What the receiving side asks about a tree that holds chunks which its vault has not yet (a vault that is being filled)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from agent.core.ids import ObjectId


class InTree(Protocol):
    """Of one standby; for the receiving thread."""

    @property
    def at_work(self) -> bool:
        """Whether the vault lacks anything that the tree has."""
        ...

    def before(
        self, puts: Iterable[tuple[ObjectId, bytes]], drops: Iterable[ObjectId], look: Callable[[], None]
    ) -> Collection[ObjectId]:
        """These objects are about to have the content ``(id, chunk list)``, or to be no more: on exit the vault has what the tree
        alone had of them, durable with its next sync. Those whose content stays what it is are given back: the tree has it."""
        ...

    def holds(self, id: ObjectId, content: bytes) -> bool:
        """Whether the tree has this content under this object, and it stays there."""
        ...


class NothingInTree:
    """All that a commit names must be in the vault."""

    at_work = False

    def before(
        self, puts: Iterable[tuple[ObjectId, bytes]], drops: Iterable[ObjectId], look: Callable[[], None]
    ) -> Collection[ObjectId]:
        return ()

    def holds(self, id: ObjectId, content: bytes) -> bool:
        return False


NOTHING_IN_TREE = NothingInTree()
