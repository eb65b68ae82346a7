"""What the agent imports: a fresh interpreter tells."""

from __future__ import annotations

import subprocess
import sys

_AGENT = """
import sys
from agent.cli import agent_command
from agent.process.lean_imports import import_structlog
import_structlog()
from agent.process.service import run
print(*sorted(one for one in sys.modules if one.split(".")[0] in ("rich", "pygments", "structlog")))
"""


def test_the_agent_has_structlog_without_rich() -> None:
    """Nothing imports structlog before, and nothing of ours rich after it."""
    told = subprocess.run([sys.executable, "-c", _AGENT], check=True, capture_output=True, text=True).stdout.split()
    assert "structlog" in told
    assert not [one for one in told if not one.startswith("structlog")]


def test_rich_can_be_imported_afterwards() -> None:
    code = "from agent.process.lean_imports import import_structlog as go; go(); import rich.text; go(); print(rich.text.Text)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
