"""Two real agents and a device: what is written on alpha stands on beta, which can be promoted and mounted."""

from __future__ import annotations

import random

import pytest

from fakes.device_agents import device_pair
from fakes.loop_device import needs_loops
from fakes.loop_image import run

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
        run("umount", str(where))
        both.equal()
        status = both.beta.dataset("disk")
        assert ("device", "standby") == (status["kind"], status["role"])
        verified = both.beta.json("verify", "disk")
        assert (verified["equal"], verified["differences"]) == (True, [])
