"""How long a promotion now would take: from what the last one here took, or how long the dataset took to open, how much there is
of it, what is still to be applied, and how long the operator's programs took last (decision 0128)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.apply.results import ApplyFacts
from agent.config.values import Hooks
from agent.roles.journal import RoleChange, RoleJournal
from agent.status.promotion import Rto
from agent.status.state import Role

if TYPE_CHECKING:
    from agent.node.standby import Standby

#: Milliseconds that closing, writing down the role and opening never take less than, and for each million of entries beside.
_LEAST_MS, _A_MILLION_MS = 60.0, 300.0
#: What an applier does in a second on a slow disk: entries, and bytes.
_ENTRIES, _BYTES = 2_000, 50_000_000
#: The steps that are the agent's own, and the operator's programs, as promotions and switchovers name them.
_OWN = frozenset({"generation", "role", "serve", "serving"})
_HOOKS = frozenset({"before_promote", "start", "after_promote", "after-promote"})
_TAKING = frozenset({"promote", "switchover"})


@dataclass(frozen=True, slots=True)
class LastTime:
    """What this node's last way from standby to primary took, in milliseconds: the agent's ``own`` steps, and the ``hooks``."""

    own: float
    hooks: float


def last_time(changes: Sequence[RoleChange]) -> LastTime | None:
    """The newest that came to its end; None where there was none. Pure."""
    for change in reversed(changes):
        if change.kind in _TAKING and change.after == Role.PRIMARY and not change.failed:
            return LastTime(_took(change, _OWN), _took(change, _HOOKS))
    return None


def predicted(opened_ms: float, last: LastTime | None, hooks: Hooks, *, entries: int, apply: ApplyFacts) -> Rto:
    """``opened_ms``: of the last opening, which may have been of less than stands here by now. Pure."""
    size = _LEAST_MS + _A_MILLION_MS * entries / 1_000_000
    known = last.own if last is not None else opened_ms
    return Rto(round(max(known, size) + _apply_ms(apply)), _hooks_ms(hooks, last))


class Predictor:
    """Of one dataset. ``opened``: how long its last opening took, in milliseconds."""

    def __init__(self, journal: RoleJournal) -> None:
        self.opened = 0.0
        self._journal = journal
        self._known: tuple[RoleChange | None, LastTime | None] = (None, None)

    def of(self, side: Standby, hooks: Hooks) -> Rto:
        """A promotion of this standby now. The journal is read where it has grown since."""
        newest = side.newest()
        entries = newest.entries if newest is not None else 0
        return predicted(self.opened, self._last(), hooks, entries=entries, apply=side.loop.facts())

    def _last(self) -> LastTime | None:
        try:
            newest = self._journal.newest
            if newest is not self._known[0]:
                self._known = newest, last_time(self._journal.changes())
        except OSError:
            return None
        return self._known[1]


def _took(change: RoleChange, names: frozenset[str]) -> float:
    """A line of another release, or a torn one, has no steps that count."""
    return float(sum(_ms(step.get("ms")) for step in change.steps if step.get("name") in names))


def _ms(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _hooks_ms(hooks: Hooks, last: LastTime | None) -> int | None:
    """0 where there is nothing to run, None where nobody knows: they never ran here."""
    named = (hooks.before_promote, hooks.start, hooks.after_promote)
    if not any(one is not None and one.run for one in named):
        return 0
    return round(last.hooks) if last is not None else None


def _apply_ms(apply: ApplyFacts) -> float:
    """What is left of the converge that goes on: whichever takes longer, entries or bytes."""
    if apply.applied == apply.target:
        return 0.0
    progress = apply.progress
    entries = max(0, progress.total_entries - progress.done_entries)
    size = max(0, progress.total_bytes - progress.done_bytes)
    return 1000 * max(entries / _ENTRIES, size / _BYTES)
