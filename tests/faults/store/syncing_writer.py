"""Writes to a store whose syncs fail as the environment tells: ``python -m tests.faults.store.syncing_writer WHAT DIRECTORY``.

Prints "failed" when the store said so, else "done": then what was written counts as durable. It ends at once after that, so
that nothing but what was asked for is synced."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from agent.core.commit import Changes
from agent.core.errors import StoreFailed
from agent.core.ids import ROOT, object_id
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local, LocalRow
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.store_fakes import file_row, header, name_row, number, some_chunks

#: Files, each of two rows: more than two slices of a commit, and more than the log holds before it is folded in.
ROWS = 24_000


def end(how: str) -> NoReturn:
    """Say how it ended, and be gone."""
    os.write(1, how.encode())
    os._exit(0)


def catalog(place: Path) -> None:
    """One commit in slices, whose log is folded in on the way; only the seal asks for everything to be durable."""
    with Catalog.open(str(place / "catalog.db")) as it:
        for start in range(0, ROWS, 2000):
            ids = [object_id(1, 10 + n) for n in range(start, start + 2000)]
            rows = [row for id in ids for row in (file_row(id), name_row(ROOT, b"file %d" % id + b"x" * 200, id))]
            it.stage(number(2), Changes(rows))
        it.seal(header(2), PackEnd(0, 0))
        end("done")


def local(place: Path) -> None:
    """Local facts that are not durable each, then a value that is, and with it all before."""
    with Local.open(str(place / "local.db")) as it:
        for start in range(1, 3 * ROWS, 2000):
            it.write([LocalRow(object_id(1, n), b"h" * 400, n, 1, 2, 3, True, b"") for n in range(start, start + 2000)])
        it.set_value("checkpoint", b"7", durable=True)
        end("done")


def vault(place: Path) -> None:
    """Several packs, each synced when it is left, and a sync at the end."""
    with Vault.open(str(place / "vault"), PackEnd(0, 0), VaultLimits(pack=1 << 20)) as it:
        for _ in range(8):
            it.add(*some_chunks(500))
        it.sync()
        end("done")


def again(place: Path) -> None:
    """After a sync that failed nothing is taken for durable by the same vault, whoever asks."""
    with Vault.open(str(place / "vault"), PackEnd(0, 0)) as it:
        it.add(*some_chunks(10))
        try:
            it.sync()
        except StoreFailed:
            it.sync()
        end("done")


if __name__ == "__main__":
    work = {"catalog": catalog, "local": local, "vault": vault, "again": again}[sys.argv[1]]
    try:
        work(Path(sys.argv[2]))
    except StoreFailed:
        end("failed")
