"""A device that comes, goes and is removed by `hikae reload` while it streams: nothing of it is held, and nothing notes it."""

from __future__ import annotations

import os
import random
from pathlib import Path

from agent.watch.blocks.instances import instance_name
from agent.watch.blocks.tracefs import tracefs_place
from fakes.agents import Agent
from fakes.device_agents import DevicePair, device_pair
from fakes.loop_device import needs_loops

pytestmark = needs_loops
MIB = 1 << 20


def _notes(agent: Agent) -> bool:
    """Whether the kernel notes what is written on the agent's device."""
    return (tracefs_place() / "instances" / instance_name(agent.state, "disk")).is_dir()


def _is_free(device: Path) -> bool:
    """Whether nobody claims it."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_EXCL))
    except OSError:
        return False
    return True


def _write(device: Path, at: int, data: bytes) -> None:
    with device.open("r+b", buffering=0) as file:
        file.seek(at)
        file.write(data)


def _configured(both: DevicePair, texts: list[str]) -> None:
    for agent, text in zip(both.agents, texts, strict=True):
        agent.config.write_text(text)
        assert ["dataset[disk]"] == agent.json("reload")["taken"]


def test_a_device_goes_and_comes_and_is_removed() -> None:
    """Taken out it is held by nobody, and the kernel notes it no more; put back, what was written meanwhile comes; removed, its
    devices are as they were."""
    rng = random.Random(3)
    with device_pair(16 * MIB, block_standby=True) as both:
        _write(both.source, 0, rng.randbytes(4 * MIB))
        both.start()
        for agent in both.agents:
            agent.up()
        both.equal()
        full = [agent.config.read_text() for agent in both.agents]
        bare = [text[: text.index("[[dataset]]")] for text in full]
        assert (True, False) == (_notes(both.alpha), _is_free(both.target))
        _configured(both, bare)
        assert (False, True) == (_notes(both.alpha), _is_free(both.target))
        _write(both.source, 9 * MIB, rng.randbytes(MIB))
        _configured(both, full)
        both.equal()
        assert (True, False) == (_notes(both.alpha), _is_free(both.target))
        _configured(both, bare)
        for agent in both.agents:
            assert agent.json("dataset", "remove", "disk", "--yes", "--force")["removed"]
        assert (False, True, True) == (_notes(both.alpha), _is_free(both.target), both.is_equal())
