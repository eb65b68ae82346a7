"""Job: how long a commit waits for the upkeep of history, while very much of it goes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.core.clock import SystemClock
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, commit_number, object_id
from agent.node.following.history_upkeep import HistoryUpkeep, UpkeepLimits
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.expiring.expiry import Horizons
from bench.figures import Row, Spec, alone
from bench.job import Bench
from fakes.store_fakes import EPOCH, dir_row, file_row, name_row

_VERSIONS = 4
_ROWS_A_COMMIT = 1000


def expiry(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """On a disk: a catalog of files of which each has several versions, all but the newest to go; small commits all the while."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as place:
        upkeeps: list[float] = []
        commits: list[float] = []
        for turn in range(bench.sizes.expiry_runs):
            waits, sealed, seconds = _one(Path(place) / f"{turn}.db", bench.sizes.expiry_files)
            upkeeps.append(max(waits))
            commits.append(max(sealed))
            bench.say(
                f"{len(sealed):,} commits beside it in {seconds:.1f} s: the longest turn of upkeep {1000 * upkeeps[-1]:.1f} ms, "
                f"the longest commit {1000 * commits[-1]:.1f} ms"
            )
        yield alone(specs["expiry-wait"], upkeeps)
        yield alone(specs["expiry-commit"], commits)


def _one(path: Path, files: int) -> tuple[list[float], list[float], float]:
    """Seconds of every turn of upkeep that did something, and of every commit beside them; and of all together."""
    clock = SystemClock()
    with Catalog.open(str(path)) as catalog:
        newest = _filled(catalog, files)
        done: list[bool] = []

        def wanted() -> Horizons:
            done.append(True)
            return Horizons(newest, newest)

        upkeep = HistoryUpkeep(catalog, wanted, clock, UpkeepLimits(pause=0.0))
        waits: list[float] = []
        sealed: list[float] = []
        begun, number = time.monotonic(), newest
        while len(done) < 2:
            at = time.monotonic()
            upkeep.turn()
            between = time.monotonic()
            number = _commit(catalog, number, [file_row(object_id(1, 1 + number % files), salt=b"%d" % number)])
            waits.append(between - at)
            sealed.append(time.monotonic() - between)
        return waits, sealed, time.monotonic() - begun


def _filled(catalog: Catalog, files: int) -> CommitNumber:
    catalog.begin_epoch(EPOCH)
    number = _commit(catalog, NOTHING, [dir_row(ROOT)])
    for version in range(_VERSIONS):
        for first in range(1, files + 1, _ROWS_A_COMMIT):
            ids = [object_id(1, id) for id in range(first, min(first + _ROWS_A_COMMIT, files + 1))]
            rows = [file_row(id, salt=b"%d" % version) for id in ids]
            if not version:
                rows += [name_row(ROOT, b"file %d" % id, id) for id in ids]
            number = _commit(catalog, number, rows)
    return number


def _commit(catalog: Catalog, parent: CommitNumber, rows: list[bytes]) -> CommitNumber:
    number = CommitNumber(parent + 1) if parent else commit_number(1, 1)
    return catalog.write(Changes(rows), Header(number, parent, number, number, True)).number
