"""How long a promotion now would take, without the operator's programs: from how long the dataset took to open here last, and
what is still to be applied.

A promotion closes the standby and opens it as the primary; measured, that takes from once to twice what the standby took to open.
"""

from __future__ import annotations

from agent.apply.results import ApplyFacts

#: Of the time of the last opening; and what it never takes less than, in milliseconds.
_TIMES, _LEAST_MS = 1.7, 40.0
#: What an applier does in a second on a slow disk: entries, and bytes.
_ENTRIES, _BYTES = 2_000, 50_000_000


def predicted_ms(opened_ms: float, apply: ApplyFacts) -> int:
    """Milliseconds. ``opened_ms``: of the last opening. Pure."""
    return round(max(opened_ms * _TIMES, _LEAST_MS) + _apply_ms(apply))


def _apply_ms(apply: ApplyFacts) -> float:
    """What is left of the converge that goes on: whichever takes longer, entries or bytes."""
    if apply.applied == apply.target:
        return 0.0
    progress = apply.progress
    entries = max(0, progress.total_entries - progress.done_entries)
    size = max(0, progress.total_bytes - progress.done_bytes)
    return 1000 * max(entries / _ENTRIES, size / _BYTES)
