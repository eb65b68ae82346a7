"""An agent whose machine was started anew: ``python -m tests.fakes.agent_of_another_boot BOOT_FILE words…``, as ``hikae words…``.

The file holds what Linux would tell of that boot."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.cli.main import main
from agent.core import clock

if __name__ == "__main__":
    clock.BOOT = Path(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
