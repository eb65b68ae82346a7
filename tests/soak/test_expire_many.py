"""A thousand of two thousand generations expire in bounded memory, and no commit waits long; `make test` has few rows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
#: Rows that each generation has for itself.
ROWS = 1000 if WHOLE else 20
#: MiB of the process that expires, everything counted.
MOST = 250
#: Seconds that a commit may wait; under load, in `make test`, many times that.
WAIT = 0.1 if WHOLE else 5.0
PROJECT = Path(__file__).parents[2]

_EXPIRES = """
import sys, time
from pathlib import Path
from typing import cast
from agent.config.values import Generations, Keep
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, object_id
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.history_upkeep import upkeep_of
from agent.apply.checkpoint import CHECKPOINT
from agent.apply.commit_numbers import packed
from agent.store.catalog.generation import Cause, Generation
from agent.store.local import Local
from fakes.clocks import SetClock
from fakes.kept_stores import KeptDataset
from fakes.store_fakes import begun, dir_row, file_row, header, number

place, rows, count = Path(sys.argv[1]), int(sys.argv[2]), 2000
SECOND = 10**9

class Living(SetClock):
    # Turns end by what really passes; minutes between them are injected.
    def monotonic(self) -> float:
        return super().monotonic() + time.perf_counter()

clock = Living()
dataset = KeptDataset(history=1, generations=Generations(keep=Keep(last=1000)))
keeper = GenerationKeeper(RetentionTicks(clock, "boot"), lambda: dataset)
with begun(str(place / "catalog.db")) as catalog, Local.open(str(place / "local.db")) as local:
    for seq in range(2, count + 2):
        catalog.write(Changes([file_row(object_id(1, one + 1), seq) for one in range(rows)]), header(seq, time=seq * SECOND))
    now = keeper.move_clock(catalog)
    catalog.keep_generations(
        [Generation(f"G{seq:05}", number(seq), seq, now - (count - seq) * SECOND, Cause.SCHEDULE) for seq in range(2, count + 2)]
    )
    local.set_value(CHECKPOINT, packed((number(count + 1),)))
    keeper.upkeep(catalog)
    upkeep = upkeep_of(catalog, local, clock, lambda: dataset, keeper, lambda _: NOTHING)
    clock.advance(120)
    longest, seq = 0.0, count + 1
    for _ in range(200_000):
        begun_at = time.perf_counter()
        upkeep.turn()
        longest = max(longest, time.perf_counter() - begun_at)
        clock.advance(0.1)
        if _ % 100 == 99:
            seq += 1
            catalog.write(Changes([dir_row(ROOT, seq)]), header(seq, time=seq * SECOND))
            local.set_value(CHECKPOINT, packed((number(seq),)))
            if len(catalog.generations()) <= 1000 and catalog.judged() >= catalog.horizon():
                break
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(len(catalog.generations()), catalog._all("select count(*) from object", ())[0][0], longest, peak >> 10)
"""


@pytest.mark.timeout(3600)
def test_a_thousand_generations_go_in_bounded_memory(tmpfs_dir: Path) -> None:
    """With what only they saw; the longest turn is what a commit waits."""

    words = [sys.executable, "-c", _EXPIRES, str(tmpfs_dir), str(ROWS)]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    generations, left, longest, peak = done.stdout.splitlines()[-1].split()
    print(f"{1000 * ROWS:,} rows gone: the longest turn {1000 * float(longest):.1f} ms, {peak} MiB at most")
    assert 1000 == int(generations)
    assert 1000 * ROWS <= int(left) <= 1001 * ROWS + 20
    assert int(peak) <= MOST
    assert float(longest) <= WAIT
