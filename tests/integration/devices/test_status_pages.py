"""``docs/status.md`` of a device. See ``fakes.status_pages``; ``HIKAE_WRITE_PAGES=1`` writes the document anew."""

from __future__ import annotations

import os

import pytest

from agent.watch.blocks.instances import instance_name
from agent.watch.blocks.tracefs import tracefs_place
from fakes.device_agents import device_pair
from fakes.status_pages import is_state, must_be
from fakes.written_disk import needs_tracepoints

pytestmark = [needs_tracepoints, pytest.mark.usefixtures("utc")]


def test_untracked() -> None:
    """Another process reads the agent's trace instance: nothing else is told, and what is written comes all the same."""
    with device_pair(16 << 20) as both:
        both.alpha.state.mkdir(exist_ok=True)
        instance = tracefs_place() / "instances" / instance_name(both.alpha.state, "disk")
        instance.mkdir()
        ring = os.open(instance / "per_cpu/cpu0/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
        try:
            with both.source.open("r+b") as device:
                device.write(b"first")
            both.start()
            both.equal()
            must_be("untracked", both, is_state("untracked"), is_state("untracked"))
            with both.source.open("r+b") as device:
                device.write(b"later")
            both.equal()
        finally:
            os.close(ring)
            both.alpha.kill()
            instance.rmdir()
