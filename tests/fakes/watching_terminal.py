"""``hikae status --watch`` of a real terminal, as a program: its agent hangs, answers, hangs, is gone, is of another release, and
answers again; then nothing more happens until somebody interrupts it. Arguments: those behind ``status --watch``."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator

from agent.cli.context import Context
from agent.cli.main import main
from agent.core.errors import NotFound, TryAgain, Unreachable
from fakes.api_fakes import FakeControls, a_dataset, a_node

FAILURES = (
    TryAgain("ask the agent", "/run/admin.sock", "it does not answer within 10 s"),
    Unreachable("ask the agent", "/run/admin.sock", "nothing listens there"),
    NotFound("ask the agent", "status", "it does not know that"),
)
CONTROLS = FakeControls(a_node(*(a_dataset(f"web{number}") for number in range(20))))


def looks(_seconds: float) -> Iterator[None]:
    """One with each answer, and the interruption."""
    for failure in (FAILURES[0], None, *FAILURES, None):
        CONTROLS.failure = failure
        yield
    _wait_for_the_interruption()


def _wait_for_the_interruption() -> None:
    """Also of one that came a moment before: that does not end ``signal.pause``."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    while True:
        select.select([woken], [], [])


if __name__ == "__main__":
    # Who was started beside a shell's work has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    raise SystemExit(main(["status", "--watch", *sys.argv[1:]], Context(connect=lambda _: CONTROLS, ticks=looks)))
