"""Which epoch a primary writes in, and what becomes of its stores when its history is not the peers'.

``role.json`` is written before the catalog begins an epoch, so a number is never used twice by one node. A request to
start over is a durable file, so a crash between its steps does no harm.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

from agent.core.errors import Damaged
from agent.core.ids import Epoch
from agent.fs.durable import sync_dir, write_durably
from agent.node import epochs, rewound
from agent.store.catalog import Catalog
from agent.store.local import Local

CATALOG, LOCAL, ROLE, START_OVER = "catalog.db", "local.db", "role.json", "start-over"
#: Local facts turned out to be damaged while they were in use.
LOCAL_DAMAGED = "local-damaged"
_log = structlog.get_logger("node")


def open_stores(home: Path, node: str) -> tuple[Catalog, Local]:
    """The catalog of a primary, in an epoch of ``node``'s own, and its local facts. Raises ``HikaeError``.

    A catalog that was not there takes the next epoch: object ids and commits of the lost one are never used again."""
    _start_over_if_asked(home, node)
    catalog = Catalog.open(str(home / CATALOG))
    try:
        _settle_epoch(home / ROLE, catalog, node)
        local = open_local(home)
    except BaseException:
        catalog.close()
        raise
    if catalog.created:
        local.forget_objects()
    return catalog, local


def open_local(home: Path) -> Local:
    """Local facts; damaged ones are moved aside, since losing them costs only time."""
    path, noted = home / LOCAL, home / LOCAL_DAMAGED
    if noted.exists():
        _move_aside(path)
        noted.unlink()
    try:
        return Local.open(str(path))
    except Damaged:
        _move_aside(path)
        return Local.open(str(path))


def heals_itself(home: Path, error: Damaged) -> bool:
    """Whether it is the local facts that are damaged: then the next opening begins new ones, and nobody need do anything."""
    if error.subject != str(home / LOCAL):
        return False
    with suppress(OSError):
        (home / LOCAL_DAMAGED).touch(0o600)
        return True
    return False


def ask_to_start_over(home: Path, above: int) -> None:
    """The next opening forgets the catalog and takes an epoch higher than ``above``."""
    write_durably(str(home / START_OVER), str(above).encode())


def _start_over_if_asked(home: Path, node: str) -> None:
    request = home / START_OVER
    try:
        above = int(request.read_text())
    except (FileNotFoundError, ValueError):
        return
    recorded = epochs.read(home / ROLE)
    number = max(above, recorded.number if recorded else 0)
    epochs.write(home / ROLE, epochs.following(number - 1, node))
    catalog = home / CATALOG
    with suppress(FileNotFoundError):
        catalog.unlink()
    _remove_logs(catalog)
    rewound.forget(home)
    request.unlink()
    # Else a power cut could bring the request back, and the epoch that it asked for would end.
    sync_dir(str(home))


def _move_aside(local: Path) -> None:
    _log.warning("local facts are damaged and are gathered anew", path=str(local))
    with suppress(FileNotFoundError):
        os.replace(local, local.with_suffix(".damaged"))
    _remove_logs(local)


def _remove_logs(database: Path) -> None:
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).unlink()


def _settle_epoch(role: Path, catalog: Catalog, node: str) -> None:
    recorded = epochs.read(role)
    lineage = catalog.lineage
    if lineage and (recorded is None or recorded == lineage[-1]):
        if recorded is None:
            epochs.write(role, lineage[-1])
        return
    known: list[Epoch] = [*lineage, *([recorded] if recorded else [])]
    epoch = epochs.following(max((one.number for one in known), default=0), node)
    epochs.write(role, epoch)
    catalog.begin_epoch(epoch)
