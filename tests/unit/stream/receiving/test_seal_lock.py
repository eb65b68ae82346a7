"""A seal's check of presence and the seal stand under one lock, which whoever takes chunks away also takes (law 2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.commit import Commit
from agent.store.catalog.catalog import Catalog, Header
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import CHUNK, Primary, Secondary, noise, sync


class WatchedCatalog(Catalog):
    """A catalog that tries, at every seal, whether another thread could take chunks away now."""

    vault: Vault
    could: list[bool]

    def seal(self, header: Header, pack_end: PackEnd) -> Commit:
        """See ``Catalog``."""
        thread = threading.Thread(target=self._try)
        thread.start()
        thread.join()
        return super().seal(header, pack_end)

    def _try(self) -> None:
        held = self.vault.keeping.acquire(blocking=False)
        self.could.append(held)
        if held:
            self.vault.keeping.release()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    """With such a catalog."""
    made = Secondary(tmp_path / "beta")
    made.catalog.close()
    catalog = WatchedCatalog.open(str(tmp_path / "beta" / "catalog.db"))
    assert isinstance(catalog, WatchedCatalog)
    catalog.vault, catalog.could = made.vault, []
    made.catalog = catalog
    yield made
    made.close()


def test_nothing_can_be_taken_away_while_a_commit_is_sealed(primary: Primary, secondary: Secondary) -> None:
    """Neither at the first commit nor at a later one."""
    for turn in range(2):
        primary.write((b"file %d" % turn, noise(CHUNK, turn)))
        sync(primary, MemoryTransport(secondary))
    assert isinstance(secondary.catalog, WatchedCatalog)
    assert [False, False] == secondary.catalog.could
