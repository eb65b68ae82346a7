"""An agent that copies what it adopted slowly: ``python -m tests.fakes.slowly_seeding_agent --config FILE agent``."""

from __future__ import annotations

import sys
import time

from agent.adopt.placements import Placements
from agent.adopt.seeding import Seeding
from agent.cli.main import main

PAUSE = 0.1


def slow_down() -> None:
    """Each step of copying takes a moment longer: there is no other seam in a process of its own."""
    seed = Seeding._seed

    def step(self: Seeding, known: Placements, *, done: bool) -> bool:
        time.sleep(PAUSE)
        return seed(self, known, done=done)

    Seeding._seed = step  # type: ignore[method-assign]


if __name__ == "__main__":
    slow_down()
    sys.exit(main(sys.argv[1:]))
