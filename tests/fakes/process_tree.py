"""Processes that an agent has made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fakes.agents import Agent


def guard_of(agent: Agent) -> int:
    """An agent's thaw guard, which runs."""
    assert agent.process is not None
    for children in Path(f"/proc/{agent.process.pid}/task").glob("*/children"):
        for child in children.read_text().split():
            with suppress(OSError):
                if b"freezing.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
    raise AssertionError("no guard runs")
