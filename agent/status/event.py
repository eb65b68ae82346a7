"""One thing that happened."""

from __future__ import annotations

from dataclasses import dataclass

#: The code of what somebody typed; public. It stands in the journal at any level of it.
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``dataset`` is "" for the node; ``code`` a stable word; ``message`` one line; ``severity``
    how much it matters (``core.problem.Severity``)."""

    dataset: str
    code: str
    message: str
    severity: str = "info"
