"""What the demonstration does with history: takes a generation, damages a file, and brings both back."""

from __future__ import annotations

import os
import time
from pathlib import Path

from agent.cli.demo.agents import DATASET, Agent
from agent.operations.comparing import DiffRequest
from agent.operations.declaration import Json
from agent.operations.generations import GenerationsTakeRequest
from agent.status.figures import size_text, span_text

#: What a role command of the demonstration is typed with.
WORDS = ("--reason", "the demonstration", "--approved-by", "the demonstration", "--yes", "--json")
#: What a file is damaged with.
_GARBAGE = b"overwritten by a bad release "


def restore_in_demo(agent: Agent, generation: str, to: Path, path: str = "") -> Json:
    """``hikae restore`` of a generation, or of one path of it, as an operator types it on the secondary; its answer.

    Raises ``StoreFailed`` with what it said where it did not bring back all."""
    words = ["restore", DATASET, "--generation", generation, "--to", str(to), "--json", *([path] if path else [])]
    return agent.typed(*words)


def roll_back(agent: Agent, generation: str, keeper: str) -> Json:
    """``hikae rollback`` of the primary's tree to a generation that another node keeps; its answer. Raises as
    :func:`restore_in_demo`."""
    words = ("rollback", DATASET, "--generation", generation, "--from", keeper, "--yes", "--json")
    return agent.typed(*words)


def take_in_demo(agent: Agent) -> str:
    """Take a generation; its name."""
    return str(agent.client().ask(GenerationsTakeRequest(DATASET))["generation"])


def damage(path: Path) -> int:
    """Overwrite the middle of a file, as a program with a fault would; bytes."""
    garbage = _GARBAGE * 100
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        return file.write(garbage)


def put_back(found: Path, place: Path) -> None:
    """What was restored goes to where it belongs, into the file that stands there."""
    place.write_bytes(found.read_bytes())
    info = found.stat()
    os.utime(place, ns=(info.st_atime_ns, info.st_mtime_ns))


def diff_text(agent: Agent, generation: str) -> str:
    """What lies between a generation and now, in words."""
    found = agent.client().ask(DiffRequest(DATASET, generation, "now"))
    counts = ", ".join(f"{found[what]:,} {what}" for what in ("added", "changed", "moved", "deleted") if found[what])
    return counts or "nothing"


def restored_text(answer: Json, began: float, outcome: str) -> str:
    """What a restore did, in words."""
    size = f"{answer['entries']:,} entries, {size_text(answer['bytes'])}, every chunk checked"
    return f"{size}: {outcome} ({span_text(time.monotonic() - began)})"
