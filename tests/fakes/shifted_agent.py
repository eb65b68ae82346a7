"""An agent whose clock is wrong: ``python -m tests.fakes.shifted_agent SECONDS_FILE --config FILE agent``.

The file holds how many seconds the clock is ahead of the machine's; it may be written anew while the agent runs."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.cli.main import main
from agent.config import load
from agent.core.clock import SystemClock
from agent.process.service import run


class ShiftedClock(SystemClock):
    """The machine's clock, off by what stands in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_ns(self) -> int:
        return super().now_ns() + int(self._file.read_text() or 0) * 10**9


if __name__ == "__main__":
    file, arguments = sys.argv[1], sys.argv[2:]
    if arguments[-1] != "agent":
        sys.exit(main(arguments))
    sys.exit(run(load(arguments[arguments.index("--config") + 1]), ShiftedClock(Path(file))))
