"""Pages that are written here and there for an hour: what travels is near what changed, and nothing of it is missing."""

from __future__ import annotations

import mmap
import os
import random
import threading
import time
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED
from fakes.device_agents import device_pair
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount
from fakes.proxy import proxy

#: The part's number is minutes.
MINUTES = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
#: Writes a second, each of a page.
RATE = 100
_PAGE, _FILE, _DISK = 4096, 128 << 20, 192 << 20
_HOOKS = UNBRAKED + '[dataset.hooks]\nstart = "none"\nstop = "none"\n'

pytestmark = [
    needs_loops,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not MINUTES, reason="an hour: make soak PART=scattered-writes"),
]


def _fill(file: Path, chance: random.Random) -> None:
    """Allocated whole, so that a write changes one page."""
    with file.open("wb") as made:
        for _ in range(_FILE >> 20):
            made.write(chance.randbytes(1 << 20))
        os.fsync(made.fileno())


def _scatter(file: Path, chance: random.Random) -> int:
    """Write random pages past the page cache, evenly spread; how many."""
    tick, written, began = threading.Event(), 0, time.monotonic()
    fd = os.open(file, os.O_WRONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, _PAGE) as page:
            while (passed := time.monotonic() - began) < MINUTES * 60:
                page[:] = chance.randbytes(_PAGE)
                os.pwritev(fd, [page], chance.randrange(_FILE // _PAGE) * _PAGE)
                written += 1
                tick.wait(max(0.0, written / RATE - passed))
    finally:
        os.close(fd)
    return written


def test_the_wire_carries_what_changed(seed: int) -> None:
    """At most one and a half times the pages that were written; at the end both disks are equal bit for bit."""
    chance = random.Random(seed)
    with device_pair(_DISK, extra=_HOOKS) as both, proxy(both.beta.port) as wire:
        run("mkfs.ext4", "-q", "-F", "-b", str(_PAGE), "-E", "lazy_itable_init=0", str(both.source))
        where = both.mount(both.source)
        _fill(where / "data", chance)
        both.reach_through("alpha", "beta", wire.port)
        both.start()
        for agent in both.agents:
            agent.up()
        both.alpha.wait(name="disk", within=300.0)
        before = wire.carried
        written = _scatter(where / "data", chance)
        both.alpha.wait(name="disk", within=300.0)
        carried = wire.carried - before
        unmount(where)
        both.equal()
    print(f"{written:,} pages of 4 KiB, {carried:,} bytes carried: {carried / (written * _PAGE):.2f} times")
    assert carried <= 1.5 * written * _PAGE
