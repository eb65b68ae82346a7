"""The process that the kill tests of compaction end: commits, history that is shortened, and collections that rewrite packs.

``python killed_compactor.py DIRECTORY SEED``: prints ``number digest`` in hex, one line a sealed commit.
"""

from __future__ import annotations

import random
import sys

from agent.core.ids import NOTHING, Epoch
from agent.store.catalog.catalog import Catalog, CatalogLimits
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.collection import CollectionLimits, collect
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack_use import CompactionLimits
from agent.store.vault.vault import Vault
from faults.store.killed_writer import one_commit

_EVERYTHING = CollectionLimits(room=1 << 30, names_exactly=1000, compaction=CompactionLimits(waste=0.0, least=0.02))


def main(directory: str, seed: int) -> None:
    """Write, expire and collect until killed."""
    rng = random.Random(seed)
    with (
        Catalog.open(f"{directory}/catalog.db", CatalogLimits(staged=40)) as catalog,
        Vault.open(f"{directory}/vault", catalog.pack_end(), VaultLimits(pack=30_000, flush=20)) as vault,
    ):
        catalog.begin_epoch(Epoch(1, "alpha", b"0123456789abcdef"))
        while True:
            before = vault.sync()
            for _ in range(rng.randrange(1, 4)):
                one_commit(catalog, vault, rng)
            shorten(catalog)
            with catalog.reader() as reader:
                collect(vault, reader, before, lambda: None, _EVERYTHING)


def shorten(catalog: Catalog) -> None:
    """Only the newest commit can be read any more."""
    newest = catalog.newest()
    number = newest.number if newest is not None else NOTHING
    expiry = Expiry(catalog)
    while expiry.turn(Horizons(number, number)):
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
