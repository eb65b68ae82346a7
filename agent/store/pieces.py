"""Parts of long chunk lists, wherever this node keeps them: what it captured in its catalog, what it received in its vault.

A node that was a standby and is the primary has both kinds, and lists whose parts stand here and there.
"""

from __future__ import annotations

from typing import Protocol

from agent.core.errors import NotFound


class CatalogPieces(Protocol):
    """Of a catalog or a reader of one."""

    def piece(self, name: bytes) -> bytes | None:
        """A stored part of a chunk list."""
        ...


class VaultChunks(Protocol):
    """Of a vault."""

    def read(self, name: bytes) -> bytes:
        """A chunk's bytes, checked. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        ...


class KeptPieces:
    """For one thread, that of ``catalog``. ``vault``: None on a node that never was a standby."""

    def __init__(self, catalog: CatalogPieces, vault: VaultChunks | None) -> None:
        self._catalog = catalog
        self._vault = vault

    @property
    def has_vault(self) -> bool:
        """Whether some may stand in a vault: what this node received."""
        return self._vault is not None

    def find(self, name: bytes) -> bytes | None:
        """A part's bytes; None when it is kept nowhere. Raises as the catalog and the vault."""
        found = self._catalog.piece(name)
        if found is not None or self._vault is None:
            return found
        try:
            return self._vault.read(name)
        except NotFound:
            return None
