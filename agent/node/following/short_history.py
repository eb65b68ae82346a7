"""History that is shorter than what is configured, since the vault's limit leaves no room: what is said of it. Pure."""

from __future__ import annotations

from agent.config.values import Dataset
from agent.core.kept import VaultFacts
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import HISTORY_SHORT
from agent.status.figures import size_text, span_text

_DAY = 86_400


def short_history(dataset: Dataset, allowed: int, vault: VaultFacts, now: int) -> Problem | None:
    """The problem where history may reach back for ``allowed`` seconds only; None where that is what is configured. ``now``: UTC
    ns."""
    if allowed >= dataset.history or vault.limit is None:
        return None
    message = f"there is room for {span_text(allowed)} of history, and {span_text(dataset.history)} are configured"
    size = vault.limit
    if vault.bytes_per_day is not None and vault.bytes_per_day > 0:
        message += f"; the vault grows by {size_text(vault.bytes_per_day)} a day"
        size += vault.bytes_per_day * (dataset.history - allowed) // _DAY
    # History is shortened from nine tenths of the limit on.
    would_do = size_text(size * 10 // 9)
    remedy = f"raise vault_limit to about {would_do}, shorten history, or let generations of {dataset.name} go"
    return Problem(HISTORY_SHORT, Severity.WARNING, now, b"", message, remedy)
