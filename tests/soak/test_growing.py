"""A file of 10 GiB is being written, and a small edit is on the standby within a second all the same (docs/performance.md).

A share of it, without that limit, runs in `tests/integration/test_peers.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, pair
from fakes.edits import lag_of_an_edit, written_steadily

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
MB = 1_000_000
GIB = 1 << 30
#: Bytes, and bytes a second: together with the vault that is most of what the disk of the evidence takes.
SIZE, RATE = 10 * GIB, 100 * MB
LATEST_S = 1.0
MEMORY = 300 << 20


@pytest.mark.skipif(not WHOLE, reason="make soak")
@pytest.mark.timeout(1200)
def test_a_file_of_10_gib_delays_no_small_edit(tmp_path: Path) -> None:
    """The source is in memory, both nodes' state, the vault and the standby on a disk."""
    if shutil.disk_usage("/dev/shm").free < SIZE + 2 * GIB or shutil.disk_usage(tmp_path).free < 3 * SIZE:
        pytest.skip("there is no room for it")
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
        pair(UNBRAKED, directory=str(tmp_path), source=Path(memory) / "source") as both,
    ):
        both.begin()
        lags: list[float] = []
        stop, peak = threading.Event(), 0
        writer = threading.Thread(target=written_steadily, args=(both.source / "large", SIZE, RATE, stop))
        writer.start()
        try:
            while writer.is_alive():
                lags.append(lag_of_an_edit(both.source / "small", both.target / "small", f"{len(lags)}"))
                peak = max(peak, *(agent.memory() for agent in both.agents))
        finally:
            stop.set()
            writer.join()
        lags.sort()
        median, late, worst = lags[len(lags) // 2], lags[len(lags) * 99 // 100], lags[-1]
        print(f"{len(lags)} edits: median {median:.3f} s, p99 {late:.3f} s, worst {worst:.3f} s; {peak >> 20} MiB")
        assert worst <= LATEST_S
        assert peak <= MEMORY
        both.mirror(600)
