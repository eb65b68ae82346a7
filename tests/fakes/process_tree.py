"""Processes that an agent has made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fakes.agents import Agent


def found_guard(agent: Agent) -> int | None:
    """An agent's thaw guard, a child of its own; None while none runs."""
    assert agent.process is not None
    for children in Path(f"/proc/{agent.process.pid}/task").glob("*/children"):
        # A thread may be gone by now.
        with suppress(OSError):
            for child in children.read_text().split():
                if b"freezing.py" in _words(child):
                    return int(child)
    return None


def guard_of(agent: Agent) -> int:
    """An agent's thaw guard, which runs."""
    found = found_guard(agent)
    assert found is not None, "no guard runs"
    return found


def _words(process: str) -> bytes:
    """What it was executed with; none of one that is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""
