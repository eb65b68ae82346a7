"""What is wanted: the rows of the commit that a run goes to, beside those of the one that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.apply.ports import CatalogView
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import ObjectRow, decode_object


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked for. ``base`` → ``target``; ``trusted``: what stands is known to equal ``base``;
    ``attempts``: commits that runs before may have left half-applied, newest first; ``survey``: no
    difference can be believed, so the whole tree is looked at. ``span``: where neither, all that may stand is of commits
    from its first to its last. ``adopt``: what stands was there before us and may be
    rewritten; ``doubted``: objects that may hold anything, whatever their stat and the commits say; None: all may;
    ``short``: those that the base owed, so that an older version of them stands, or nothing."""

    base: CommitNumber
    target: Commit
    trusted: bool
    attempts: Sequence[CommitNumber] = ()
    survey: bool = False
    span: tuple[CommitNumber, CommitNumber] = (NOTHING, NOTHING)
    adopt: bool = False
    doubted: frozenset[ObjectId] | None = frozenset()
    short: frozenset[ObjectId] = frozenset()


@dataclass(slots=True)
class WantedRows:
    """The catalog, asked for one run in one thread."""

    view: CatalogView
    plan: Plan
    #: Rows of the objects that change, when they are few: as of the base, as of the target.
    rows: dict[ObjectId, tuple[bytes | None, bytes | None]] | None = None
    #: Objects of the target that are not all here, and stand as they did.
    left: set[ObjectId] = field(default_factory=set)
    #: The commit that is to be equalled.
    at: CommitNumber = field(init=False)
    _owes_any: bool = field(init=False)
    _above: tuple[ObjectId, bytes] | None = None

    def __post_init__(self) -> None:
        self.at = self.plan.target.number
        self._owes_any = self.view.owed_count(self.at) > 0

    def raw(self, id: ObjectId) -> bytes | None:
        """The wanted row of an object, as bytes; None when it is not to exist."""
        if self.rows is not None:
            pair = self.rows.get(id)
            if pair is not None:
                return pair[1]
        return self.view.object(id, self.at)

    def row(self, id: ObjectId) -> ObjectRow | None:
        """The wanted row of an object."""
        raw = self.raw(id)
        return decode_object(raw) if raw is not None else None

    def leaves(self, id: ObjectId) -> bool:
        """Whether the object is not all here, so that its last version is left to stand, or nothing (law 9). Noted if so."""
        if not self._owes_any or not self.view.owes(id, self.at):
            return False
        self.left.add(id)
        return True

    def has_place(self, id: ObjectId) -> bool:
        """Whether the object is wanted, and by names that lead to the root."""
        return self.raw(id) is not None and self.view.path_of(id, self.at) is not None

    def is_new(self, id: ObjectId) -> bool:
        """Whether the object cannot stand anywhere yet."""
        if not self.plan.trusted:
            return False
        if self.rows is not None:
            pair = self.rows.get(id)
            return pair is not None and pair[0] is None
        return self.view.object(id, self.plan.base) is None

    def existed(self, id: ObjectId) -> bool:
        """Whether the object was there at the base, and what stands is of that base."""
        return not (self.is_new(id) or self.plan.survey) and self.was_there(id)

    def was_there(self, id: ObjectId) -> bool:
        """Whether the object was there at the base."""
        return self.plan.base != NOTHING and self.view.object(id, self.plan.base) is not None

    def path(self, parent: ObjectId, name: bytes) -> bytes:
        """The path of a name, for messages and rules; asked of one directory after the other."""
        if self._above is None or self._above[0] != parent:
            found = self.view.path_of(parent, self.at) or self.view.path_of(parent, self.plan.base) or b""
            self._above = parent, found
        above = self._above[1]
        return above + b"/" + name if above else name
