"""Two real agents and a device: what is written on alpha stands on beta, which can be promoted and mounted."""

from __future__ import annotations

import random
import shutil

import pytest

from fakes.agents import UNBRAKED
from fakes.device_agents import QUICK, device_pair
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount
from fakes.proxy import proxy

pytestmark = needs_loops


@pytest.mark.parametrize("block", [False, True])
def test_a_mounted_filesystem_is_replicated_bit_for_bit(block: bool) -> None:
    """ext4 on alpha's device is written while it is replicated; unmounted, both are the same."""
    rng = random.Random(1)
    with device_pair(block_standby=block) as both:
        run("mkfs.ext4", "-q", "-F", str(both.source))
        where = both.mount(both.source)
        both.start()
        for agent in both.agents:
            agent.up()
        for number in range(10):
            (where / f"f{number}").write_bytes(rng.randbytes(300_000))
            both.alpha.wait(name="disk", within=90.0)
        unmount(where)
        both.equal()
        status = both.beta.dataset("disk")
        assert ("device", "standby") == (status["kind"], status["role"])
        verified = both.beta.json("verify", "disk")
        assert (verified["equal"], verified["differences"]) == (True, [])


def test_an_image_that_is_nearly_equal_is_taken_over_and_little_is_sent() -> None:
    """With ``adopt`` a copy of the device that stood there is read first, and only what differs travels and is written."""
    rng = random.Random(4)
    with device_pair(size=64 << 20, extra="adopt = true\n" + UNBRAKED + QUICK) as both:
        with both.source.open("r+b", buffering=0) as file:
            file.write(rng.randbytes(24 << 20))
        shutil.copyfile(both.source, both.target)
        with both.source.open("r+b", buffering=0) as file:
            file.seek(5 << 20)
            file.write(rng.randbytes(300_000))
        before = both.target.stat().st_ino
        with proxy(both.beta.port) as wire:
            both.reach_through("alpha", "beta", wire.port)
            both.start()
            for agent in both.agents:
                agent.up()
            both.equal()
            assert wire.carried < 4 << 20
        assert both.target.stat().st_ino == before
