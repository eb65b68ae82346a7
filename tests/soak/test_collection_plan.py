"""The plan of a collection over very many names, in bounded memory; `make test` has a hundredth of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
NAMES = 20_000_000 if WHOLE else 200_000
#: MiB of the process that plans, everything counted.
MOST = 250
PROJECT = Path(__file__).parents[2]

_PLANS = """
import hashlib, sys
from pathlib import Path
from agent.core.chunks import DATA
from agent.store.collection import CollectionLimits, plan_collection
from agent.store.vault.pack import PackEnd
from agent.store.vault.pack_use import CompactionLimits
from agent.store.vault.vault import Vault

count = int(sys.argv[2])
EVERY = CompactionLimits(waste=0.0, least=0.05)
name_of = lambda number: hashlib.blake2b(b"%d" % number, digest_size=32).digest()

class Rows:
    def chunks_named(self, batch):
        for first in range(0, count, 2000):
            yield [(DATA, name_of(number)) for number in range(first, min(first + 2000, count)) if number % 10]

with Vault.open(sys.argv[1], PackEnd(0, 0)) as vault:
    end = PackEnd(1 << 30, 0)
    plan = plan_collection(vault, Rows(), end, lambda: None, CollectionLimits(1 << 40, compaction=EVERY))
    # Not ru_maxrss, which begins with that of whoever started this process.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print(sum(pack.chunks for pack in plan.rewrite), peak >> 10)
"""


@pytest.mark.timeout(3600)
def test_a_plan_over_many_names_is_made_in_bounded_memory(tmpfs_dir: Path) -> None:
    """A tenth of the names is named by no row; packs and index are made by hand, as large as they would be."""
    index = _made_by_hand(tmpfs_dir / "vault")
    words = [sys.executable, "-c", _PLANS, str(tmpfs_dir / "vault"), str(NAMES)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    )
    assert done.returncode == 0, done.stderr
    live, peak = map(int, done.stdout.split())
    print(f"{NAMES:,} names, an index of {index >> 20} MiB: {peak} MiB at most")
    assert 0.9 * NAMES <= live < 0.901 * NAMES
    assert peak <= MOST


def _made_by_hand(vault: Path) -> int:
    """A vault of ``NAMES`` chunks of 1,000 bytes in packs of a million records, which are holes; bytes of its index."""
    words = [sys.executable, "-c", _MAKES, str(vault), str(NAMES)]
    subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    return (vault / "index.db").stat().st_size


_MAKES = """
import hashlib, os, sys
from pathlib import Path
from agent.store.vault.index import Index
from agent.store.vault.pack import HEADER_SIZE, PackEnd, Place
from agent.store.vault.vault import Vault

vault, count = Path(sys.argv[1]), int(sys.argv[2])
per_pack, size = max(1000, count // 20), HEADER_SIZE + 1000
Vault.open(str(vault), PackEnd(0, 0)).close()
index = Index.open(str(vault / "index.db"))
packs = -(-count // per_pack)
for first in range(0, count, 100_000):
    for number in range(first, min(first + 100_000, count)):
        name = hashlib.blake2b(b"%d" % number, digest_size=32).digest()
        index.put(name, Place(number // per_pack, number % per_pack * size, 0, 0, 1000, 1000))
    last = min(first + 100_000, count)
    index.flush(PackEnd(packs, 0) if last == count else PackEnd(last // per_pack, last % per_pack * size))
index.close()
for pack in range(packs + 1):
    path = vault / "packs" / f"{pack:08d}.pack"
    path.touch()
    os.truncate(path, per_pack * size if pack < packs else 0)
"""
