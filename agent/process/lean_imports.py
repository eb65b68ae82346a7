"""What the agent does not import, though a library of its would."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import cast


def import_structlog() -> None:
    """Import structlog for the agent: without rich, which structlog takes for tracebacks with colours where it is installed.

    The agent writes plain ones (``status.log``), and rich would take some 2.5 MiB of its memory. To be called before anything
    imports structlog; where rich was imported already, nothing is gained or lost."""
    hidden = "rich" not in sys.modules
    if hidden:
        # What is None there cannot be imported (Python's reference, The import system, The module cache).
        sys.modules["rich"] = cast(ModuleType, None)
    try:
        import_module("structlog")
    finally:
        if hidden:
            del sys.modules["rich"]


def import_grpc() -> None:
    """Import gRPC for the agent: without its half for asyncio, which takes 0.6 MiB and which nothing here calls. To be called
    before anything imports gRPC; where that was imported already, nothing is gained or lost."""
    if "grpc" in sys.modules:
        return
    # gRPC imports it as its last act, and uses nothing of it itself.
    sys.modules["grpc.aio"] = ModuleType("grpc.aio", "Not imported: see agent.process.lean_imports.")
    try:
        import_module("grpc")
    finally:
        del sys.modules["grpc.aio"]
