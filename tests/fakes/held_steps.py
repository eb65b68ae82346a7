"""A change of role that is held in one of its steps, while the rest of its agent goes on, until a test lets it go on."""

from __future__ import annotations

import sys
from pathlib import Path

from fakes.agent_killed_in_step import HELD
from fakes.agents import Agent
from fakes.eventually import eventually


class HeldSteps:
    """Of an agent that does not run yet; ``home``: where its state of the dataset lies. ``kind``, ``step``, ``when``: see
    ``fakes.agent_killed_in_step``."""

    def __init__(self, agent: Agent, home: Path, kind: str, step: str, when: str) -> None:
        self._file = home / HELD
        agent.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", f"{kind}:{step}:{when}:HOLD")

    def is_held(self) -> None:
        """Wait until it stands there."""
        eventually(self._file.exists)

    def go_on(self) -> None:
        """Let it go on."""
        self._file.unlink()
