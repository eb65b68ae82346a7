"""An agent that is killed in a recorded step: ``python -m tests.fakes.agent_killed_in_step KIND:STEP:WHEN --config FILE agent``;
with ``KIND:STEP:WHEN:STOP`` it stands still there until it is continued; with ``KIND:STEP:WHEN:HOLD`` only its steps do, while
all else of it goes on (``fakes.held_steps``).

``WHEN`` is ``begun``: that is durable, and nothing was done; or ``acted``: it was done, and that is not durable; in a step that
changes the role, ``unrecorded``: right before the record of that is written, or ``recorded``: right behind that."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from agent.cli.main import main
from agent.roles import lineage
from agent.roles.record import RoleRecord, write_record
from agent.steps import runner
from agent.steps.record import StepsRecord, write_steps

#: Beside the record of the steps, or of the role: they are held while this stands there.
HELD = "held-by-test"


def hold_at(home: Path) -> None:
    """Whose thread it is stands here until somebody takes the file away."""
    (home / HELD).touch()
    never = threading.Event()
    while (home / HELD).exists():
        never.wait(0.01)


def kill_in(kind: str, step: str, when: str, how: str = "KILL") -> None:
    """Wrap what makes a step, or a role, durable: there is no other seam in a process of its own."""
    doing: list[str | None] = [None]
    met: list[Path] = []

    def ends(home: Path) -> None:
        if met:
            return  # a role is written twice: whoever opens it settles what it found
        met.append(home)
        if how == "HOLD":
            hold_at(home)
        else:
            os.kill(os.getpid(), signal.Signals[f"SIG{how}"])

    def write_role(path: Path, record: RoleRecord) -> None:
        if doing[0] == step and when == "unrecorded":
            ends(path.parent)
        write_record(path, record)
        if doing[0] == step and when == "recorded":
            ends(path.parent)

    def write(path: Path, record: StepsRecord) -> None:
        acted = record.doing is None and bool(record.done) and record.done[-1].name == step
        if record.kind == kind and when == "acted" and acted:
            ends(path.parent)
        write_steps(path, record)
        if record.kind == kind:
            doing[0] = record.doing
            if when == "begun" and record.doing == step:
                ends(path.parent)

    vars(runner)["write_steps"] = write
    vars(lineage)["write_record"] = write_role


if __name__ == "__main__":
    if sys.argv[-1] == "agent":
        kill_in(*sys.argv[1].split(":"))
    sys.exit(main(sys.argv[2:]))
