"""A look that finds nothing, by the pump alone: `python tests/bench/look.py [--files N] [--flat] [--looks N] [--state DIR]`.

Run from two checkouts in turns (PYTHONPATH says which agent is used) it compares them on one prepared tree and state.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from agent.capture.outlet import ReadChunk
from agent.capture.pump import Pump
from agent.core.clock import SystemClock
from agent.core.commit import Changes, Commit
from agent.core.ids import Epoch, ObjectId
from agent.core.problem import ProblemBoard
from agent.store.catalog import Catalog
from agent.store.local import Local
from agent.watch.settle import Settle

LIMIT_S = 3600.0


class NoPeer:
    """An outlet that leads nowhere."""

    def has_room(self, timeout: float) -> bool:
        return True

    def content(self, token: int, chunks: Sequence[ReadChunk]) -> None:
        pass

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        pass


def empty_files(top: Path, count: int, flat: bool) -> None:
    """Empty files below a fresh directory: all in it, or 1,000 to a directory."""
    top.mkdir(parents=True)
    for number in range(count):
        if not flat and number % 1000 == 0:
            (top / f"d{number // 1000:04}").mkdir()
        place = top if flat else top / f"d{number // 1000:04}"
        os.close(os.open(place / f"file-{number:07}", os.O_CREAT | os.O_WRONLY))


def main() -> None:
    """First the tree, unless it is there; then a start and looks, each timed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--state", type=Path, required=True)
    arguments = parser.parse_args()
    root = arguments.state / "root"
    if not root.exists():
        empty_files(root / "all", arguments.files, arguments.flat)
    with (
        Catalog.open(str(arguments.state / "catalog.db")) as catalog,
        Local.open(str(arguments.state / "local.db")) as local,
    ):
        if not catalog.lineage:
            catalog.begin_epoch(Epoch(1, "alpha", b"t" * 16))
        pump = Pump("look", str(root), catalog, local, Settle(), NoPeer(), ProblemBoard(), SystemClock())
        pump.start()
        try:
            for number in range(arguments.looks + 1):
                begun, cpu = time.monotonic(), time.process_time()
                assert pump.reconcile("bench").wait(LIMIT_S)
                words = f"{time.monotonic() - begun:.2f} s, {time.process_time() - cpu:.2f} s of processor"
                print(f"{'start' if not number else 'look'}: {words}", flush=True)
        finally:
            pump.stop()


if __name__ == "__main__":
    main()
