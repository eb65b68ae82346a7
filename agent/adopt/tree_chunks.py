"""Chunks of the vault that lie in the adopted tree: what the vault asks of it, meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from agent.adopt.adopted_tree import AdoptedTree, bytes_at
from agent.core.errors import Damaged


class TreeChunks:
    """``store.vault.reading.Elsewhere`` over a tree. Any thread."""

    def __init__(self, tree: AdoptedTree) -> None:
        self._tree = tree

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that stand in the tree; they are kept until they are in the packs."""
        known = self._tree.known
        return known.rely(names) if known is not None else set()

    def sync(self) -> None:
        """The chunks that are relied on are known durably."""
        known = self._tree.known
        if known is not None:
            known.sync()

    def chunk(self, name: bytes) -> bytes | None:
        """The bytes of a chunk in the tree, None when it was never there. Raises ``Damaged``: they are others now."""
        known = self._tree.known
        place = known.place(name) if known is not None else None
        if known is None or place is None:
            return None
        with self._tree.opened(known, place.file) as fd:
            data = bytes_at(fd, place)
        if data is None:
            reason = "the adopted file that held it was changed"
            raise Damaged("read a chunk", name.hex(), reason, "it is asked of the primary again")
        return data

    def drop(self, names: Sequence[bytes]) -> None:
        """Chunks are not to be looked for in the tree any more."""
        known = self._tree.known
        if known is not None:
            known.drop(names)
