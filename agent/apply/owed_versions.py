"""Objects that do not stand as the standby's commit says, since it was sealed without all of them: their last version does, or
nothing (law 9). Remembered over restarts: what stands of them is believed in nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.apply.commit_numbers import numbers_of, packed
from agent.apply.ports import CatalogView, LocalFacts
from agent.core.ids import CommitNumber, ObjectId

#: Under which they are kept.
SHORT = "short"


class Short:
    """Used by the applying thread. ``ids`` is replaced as a whole; ``noted``: whether it is durable with the next durable
    write."""

    def __init__(self, local: LocalFacts) -> None:
        self._local = local
        self.ids = frozenset(map(ObjectId, numbers_of(local.value(SHORT))))
        self._noted = self.ids

    @property
    def noted(self) -> bool:
        """Whether it is stored as it is."""
        return self._noted == self.ids

    def is_due(self, view: CatalogView, at: CommitNumber) -> bool:
        """Whether something of them is all here by now."""
        return any(not view.owes(id, at) for id in self.ids)

    def add(self, left: Iterable[ObjectId]) -> None:
        """A run left these objects as they stood."""
        self.ids = self.ids.union(left)

    def only(self, left: Iterable[ObjectId]) -> None:
        """A run came to its end: these were left, all others are as wanted."""
        self.ids = frozenset(left)

    def note(self) -> None:
        """Store it; durable with the next write that is."""
        if not self.noted:
            self._local.set_value(SHORT, packed(sorted(self.ids)))
            self._noted = self.ids
