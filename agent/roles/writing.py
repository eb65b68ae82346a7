"""Who may be writing where nobody may, as gates of a refusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.fs.writers.processes import Writer
from agent.status.promotion import Gate, gate_json


def writer_gates(found: Sequence[Writer], now: int) -> tuple[dict[str, object], ...]:
    """One gate for each who was found at ``now`` (UTC ns)."""
    return tuple(gate_json(Gate("writers", False, one.sentence(), "none", now, "end it")) for one in found)
