"""The agent, or its thaw guard, killed around the freeze of a device: whoever writes to it goes on within the deadline."""

from __future__ import annotations

import os
import random
import signal
import threading
from contextlib import suppress

import pytest

from fakes.agents import UNBRAKED
from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import needs_loops
from fakes.loop_image import MAKERS, run, unmount
from fakes.process_tree import found_guard
from fakes.syncing_writer import SyncingWriter

pytestmark = [needs_loops, pytest.mark.timeout(0 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 300)]

ROUNDS = 100 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 4
TERMS = UNBRAKED + '[dataset.device]\nrpo = "100ms"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'
SIZES = {"ext4": 48 << 20, "xfs": 320 << 20}
#: Seconds: the guard's deadline, and what a busy machine may take beside it.
DEADLINE, BUSY = 5.0, 10.0


def kill_one(both: DevicePair, chosen: random.Random) -> None:
    """The agent or its guard, at a moment that nobody chose."""
    threading.Event().wait(chosen.random() * 0.4)
    guard = found_guard(both.alpha)
    if guard is not None and chosen.random() < 0.5:
        with suppress(ProcessLookupError):
            os.kill(guard, signal.SIGKILL)
        return
    both.alpha.kill()
    both.alpha.start()
    both.alpha.up()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_writes_go_on(kind: str, seed: int) -> None:
    """Whoever is killed, no write waits beyond the deadline; commits go on, and what they hold is what stood at last."""
    chosen = random.Random(seed)
    with device_pair(SIZES[kind], extra=TERMS) as both:
        run(*MAKERS[kind], str(both.source))
        where = both.mount(both.source)
        both.start()
        for agent in both.agents:
            agent.up()
        both.alpha.wait(name="disk", within=90.0)
        with SyncingWriter(where) as writer:
            for _ in range(ROUNDS):
                before = both.alpha.look("disk").get("commit")
                kill_one(both, chosen)
                eventually(lambda before=before: both.alpha.look("disk").get("commit") != before)  # type: ignore[misc]
        assert writer.longest < DEADLINE + BUSY
        both.alpha.wait(name="disk", within=90.0)
        unmount(where)
        both.equal()
