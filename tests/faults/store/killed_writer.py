"""The process that the kill tests end: commit after commit into a catalog and a vault, each told on standard output once sealed.

``python killed_writer.py DIRECTORY SEED``: prints ``number digest`` in hex, one line a sealed commit.
"""

from __future__ import annotations

import os
import random
import sys

from agent.core.chunks import DATA, encode_one, name_of
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number
from agent.core.rows import ObjectRow, encode_name, encode_object, name_key, object_key
from agent.store.catalog.catalog import Catalog, CatalogLimits, Header
from agent.store.vault.codec import pack_chunk
from agent.store.vault.limits import VaultLimits
from agent.store.vault.vault import Vault


def main(directory: str, seed: int) -> None:
    """Write until killed."""
    rng = random.Random(seed)
    with (
        Catalog.open(f"{directory}/catalog.db", CatalogLimits(staged=40)) as catalog,
        Vault.open(f"{directory}/vault", catalog.pack_end(), VaultLimits(pack=60_000, flush=20)) as vault,
    ):
        catalog.begin_epoch(Epoch(1, "alpha", b"0123456789abcdef"))
        while True:
            one_commit(catalog, vault, rng)


def one_commit(catalog: Catalog, vault: Vault, rng: random.Random) -> None:
    """Chunks, rows and drops of older files, then sync and seal."""
    newest = catalog.newest()
    parent = newest.number if newest is not None else NOTHING
    number = CommitNumber(parent + 1) if newest is not None else commit_number(1, 1)
    catalog.stage(number, Changes((encode_object(ObjectRow(ROOT, 0o40755, 0, 0, number)),)))
    for _ in range(rng.randrange(4)):
        catalog.stage(number, Changes(new_files(catalog, vault, rng)))
    old = [entry for entry in catalog.children(ROOT, limit=rng.randrange(1, 30)) if rng.random() < 0.5]
    catalog.stage(number, Changes((), [key for name, id in old for key in (name_key(ROOT, name), object_key(id))]))
    commit = catalog.seal(Header(number, parent, number, number, True), vault.sync())
    os.write(1, f"{commit.number} {commit.digest.hex()}\n".encode())


def new_files(catalog: Catalog, vault: Vault, rng: random.Random) -> list[bytes]:
    """Files of one chunk each, whose bytes are in the vault."""
    raws = [rng.randbytes(rng.randrange(1, 3000)) for _ in range(rng.randrange(1, 30))]
    names = [name_of(raw) for raw in raws]
    vault.add([pack_chunk(name, DATA, raw) for name, raw in zip(names, raws, strict=True)], raws)
    first = catalog.allocate(len(raws))
    rows: list[bytes] = []
    for id, (raw, name) in enumerate(zip(raws, names, strict=True), first):
        row = ObjectRow(ObjectId(id), 0o100644, 0, 0, 0, 0, len(raw), 0, (), encode_one(len(raw), name))
        rows += (encode_object(row), encode_name(ROOT, b"file %d" % id, id))
    return rows


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
