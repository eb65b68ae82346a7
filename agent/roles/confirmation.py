"""Whether a node that is the primary may serve: once all others, or an operator, have said that nobody reigns after it (law 7).

What they said holds for one run of the agent and one epoch: a node that was away may have been superseded meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from agent.core.ids import Epoch
from agent.stream.guards import EVERY_GUARD, RoleGuards


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is known. ``by``: the peers that said so in this run; ``alone``: an operator did; ``waits``: whether the configuration
    wants to hear them at all (``start_without_peer``); ``known``: this state was confirmed before, by anybody: an empty directory
    is no primary's until then."""

    by: frozenset[str] = frozenset()
    alone: bool = False
    waits: bool = True
    known: bool = True


def lacking(peers: Collection[str], said: Confirmed, guards: RoleGuards = EVERY_GUARD) -> tuple[str, ...]:
    """The peers whose word this primary still waits for before it may serve; none: it may."""
    if said.alone or (not said.waits and said.known) or not guards.confirmed:
        return ()
    return tuple(sorted(name for name in peers if name not in said.by))


class Confirmation:
    """Of one dataset, in one run of the agent. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by: frozenset[str] = frozenset()
        self._alone = self._next_alone = False
        self._reign: Epoch | None = None

    def reigns(self, epoch: Epoch) -> None:
        """The node is open as the primary in this epoch; what was said of another one is worth nothing."""
        with self._lock:
            if epoch != self._reign:
                self._reign, self._by = epoch, frozenset()
                self._alone, self._next_alone = self._next_alone, False

    def by(self, peer: str) -> None:
        """A peer has said that it knows of no higher epoch."""
        if peer not in self._by:
            with self._lock:
                self._by |= {peer}

    def serves_alone(self) -> None:
        """An operator says so, of the epoch that it reigns in."""
        with self._lock:
            self._alone = True

    def next_serves_alone(self) -> None:
        """An operator has this node begin an epoch, and it serves in that."""
        with self._lock:
            self._next_alone = True

    def is_over(self) -> None:
        """The reign has ended, or is doubted: all must say so anew."""
        with self._lock:
            self._by, self._alone, self._next_alone = frozenset(), False, False

    def said(self, *, waits: bool, known: bool) -> Confirmed:
        """What is known now."""
        with self._lock:
            return Confirmed(self._by, self._alone, waits, known)
