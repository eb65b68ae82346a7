"""What the agent imports: a fresh interpreter tells."""

from __future__ import annotations

import subprocess
import sys

_AGENT = """
import sys
from agent.cli import agent_command
from agent.process.lean_imports import import_grpc, import_structlog
import_structlog()
import_grpc()
from agent.process.service import run
print(*sorted(one for one in sys.modules if one.split(".")[0] in ("rich", "pygments", "structlog", "grpc")))
"""


def test_the_agent_has_structlog_without_rich() -> None:
    """Nothing imports structlog before, and nothing of ours rich after it."""
    told = subprocess.run([sys.executable, "-c", _AGENT], check=True, capture_output=True, text=True).stdout.split()
    assert "structlog" in told
    assert not [one for one in told if not one.startswith(("structlog", "grpc"))]


def test_the_agent_has_grpc_without_its_half_for_asyncio() -> None:
    told = subprocess.run([sys.executable, "-c", _AGENT], check=True, capture_output=True, text=True).stdout.split()
    assert "grpc" in told
    assert not [one for one in told if one.startswith("grpc.aio")]


def test_that_half_can_be_imported_afterwards() -> None:
    code = (
        "from agent.process.lean_imports import import_grpc as go; go(); import grpc.aio; go(); print(grpc.aio.Channel)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_rich_can_be_imported_afterwards() -> None:
    code = "from agent.process.lean_imports import import_structlog as go; go(); import rich.text; go(); print(rich.text.Text)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
