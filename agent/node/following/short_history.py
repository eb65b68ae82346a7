"""History that is shorter than what is configured, since the vault's limit leaves no room: what is said of it. Pure."""

from __future__ import annotations

from agent.config.values import Dataset
from agent.core.kept import VaultFacts
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import HISTORY_SHORT
from agent.generations.vault_growth import ROOM_AGAIN
from agent.status.figures import size_text, span_text

_DAY = 86_400


def short_history(dataset: Dataset, allowed: int, vault: VaultFacts, changes: int | None, now: int) -> Problem | None:
    """The problem where history may reach back for ``allowed`` seconds only; None where that is what is configured. ``changes``:
    bytes that come in a day, None while that is not known: the vault's own growth says nothing here, as what is shortened leaves
    it again. ``now``: UTC ns."""
    if allowed >= dataset.history or vault.limit is None:
        return None
    message = f"there is room for {span_text(allowed)} of history, and {span_text(dataset.history)} are configured"
    others = f"shorten history, or let generations of {dataset.name} go"
    if changes is None:
        message += "; how much changes in a day is not known yet"
        return _problem(message, f"raise vault_limit, {others}; the limit that would do is said an hour from now", now)
    message += f"; {size_text(changes)} of changes come in a day"
    would_do = limit_for(vault.bytes, changes, dataset.history - allowed)
    if would_do <= vault.limit:
        return _problem(message, f"there is room again, and it gets longer by itself; else {others}", now)
    return _problem(message, f"raise vault_limit to about {size_text(would_do)}, {others}", now)


def limit_for(size: int, changes: int, lacking: int) -> int:
    """The limit at which a vault of ``size`` bytes has room for ``lacking`` seconds more of history, at ``changes`` bytes a day:
    so large that history, once shortened, gets longer again all the way."""
    return round((size + max(0, changes) * lacking // _DAY) / ROOM_AGAIN)


def _problem(message: str, remedy: str, now: int) -> Problem:
    return Problem(HISTORY_SHORT, Severity.WARNING, now, b"", message, remedy)
