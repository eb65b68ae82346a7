"""An agent that is killed in a recorded step: ``python -m tests.fakes.agent_killed_in_step KIND:STEP:WHEN --config FILE agent``.

``WHEN`` is ``begun``: that is durable, and nothing was done; or ``acted``: it was done, and that is not durable."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from agent.cli.main import main
from agent.steps import runner
from agent.steps.record import StepsRecord, write_steps


def kill_in(kind: str, step: str, when: str) -> None:
    """Wrap what makes a step durable: there is no other seam in a process of its own."""

    def write(path: Path, record: StepsRecord) -> None:
        if record.kind != kind:
            write_steps(path, record)
        elif when == "acted" and record.done and record.done[-1].name == step:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            write_steps(path, record)
            if when == "begun" and record.doing == step:
                os.kill(os.getpid(), signal.SIGKILL)

    vars(runner)["write_steps"] = write


if __name__ == "__main__":
    if sys.argv[-1] == "agent":
        kill_in(*sys.argv[1].split(":"))
    sys.exit(main(sys.argv[2:]))
