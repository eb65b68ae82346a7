"""What a receiver seals although it is not all here, and what of that comes after all (law 9).

Who has the content of an object keeps it, whatever is said to be absent: what lacks is found here, never believed.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol

from agent.core.ids import CommitNumber, ObjectId
from agent.core.rows import content_of
from agent.store.catalog.catalog import Catalog
from agent.stream.messages import Owing
from agent.stream.receiving.in_tree import NOTHING_IN_TREE, InTree
from agent.stream.receiving.presence import ChunksMissing, Presence

#: Objects told at once.
PAGE = 256
#: Ids that may come before the rows that they are about, 8 bytes each.
ABSENT_MAX = 1 << 20


class HasContent(Protocol):
    """A row that stands for content: a regular file's, or a device's chunk. ``content``: its chunk list."""

    @property
    def id(self) -> ObjectId: ...

    @property
    def content(self) -> bytes: ...


class Debts:
    """Belongs to the receiving thread. One commit is staged at a time; what it owes is staged with its rows."""

    def __init__(self, catalog: Catalog, presence: Presence, in_tree: InTree = NOTHING_IN_TREE) -> None:
        self._catalog = catalog
        self._presence = presence
        self._in_tree = in_tree
        self._said = False
        self._told: tuple[ObjectId, ...] = ()

    def required(self, number: CommitNumber, files: Sequence[HasContent]) -> list[bytes]:
        """Contents of these rows, staged just now, that must be all here. What was owed may go on to be."""
        if not self._catalog.owing:
            return [row.content for row in files]
        owed = {row.id for row in files if self._catalog.owes(row.id)}
        self._catalog.owe(number, owed)
        return [row.content for row in files if row.id not in owed]

    def absent(self, number: CommitNumber, objects: array[int]) -> array[int]:
        """The peer could not read something of these; gives those whose rows are still to come."""
        early = array("Q")
        self._said = self._said or bool(objects)
        for id in map(ObjectId, objects):
            row = self._catalog.staged_file(id, number)
            if row is None:
                early.append(id)
            elif (content := content_of(row)) and id not in self._catalog.staged_owed(number, id - 1, 1):
                self._presence.excuse(content)
                self._catalog.owe(number, (id,))
        return early

    def settle(self, number: CommitNumber) -> None:
        """Before the seal: nothing lacks but what is owed. Raises ``WireError``."""
        try:
            self._presence.open_lists()
            self._presence.settle()
        except ChunksMissing:
            if not self._said:
                raise
            self._owe_all_that_lack(number)
        if self._said or self._catalog.owing:
            self._owe_only_what_lacks(number)

    def may_lack(self) -> None:
        """Some of the coming commit's content may be here no more, and nobody said which."""
        self._said = True

    def over(self) -> None:
        """The commit is sealed or withdrawn."""
        self._said = False

    def ask(self, after: ObjectId) -> Owing:
        """What is owed above ``after``, once what has come of the page before is noted: all of it must be durable here."""
        came = [id for id in self._told if self._is_whole(id)]
        if came:
            self._catalog.came(came)
        self._told = tuple(self._catalog.owed(after, PAGE))
        return Owing(self._catalog.owing, self._told)

    @property
    def awaited(self) -> bool:
        """Whether something that was told may have come."""
        return bool(self._told)

    def _is_whole(self, id: ObjectId) -> bool:
        row = self._catalog.holder(id)
        return row is None or self._is_here(id, content_of(row))

    def _is_here(self, id: ObjectId, content: bytes) -> bool:
        return self._in_tree.holds(id, content) or self._presence.is_whole(content)

    def _owe_all_that_lack(self, number: CommitNumber) -> None:
        """Others name the same chunks as what was said to be absent; which, nobody noted."""
        self._presence.excuse_all()
        after = 0
        while page := self._catalog.staged_files(number, after):
            after = page[-1][0]
            held = [(id, content) for id, row in page if (content := content_of(row))]
            self._catalog.owe(number, [id for id, content in held if not self._is_here(id, content)])

    def _owe_only_what_lacks(self, number: CommitNumber) -> None:
        after = 0
        while page := self._catalog.staged_owed(number, after):
            after = page[-1]
            self._catalog.owe_not(number, [id for id in page if self._is_staged_whole(id, number)])

    def _is_staged_whole(self, id: ObjectId, number: CommitNumber) -> bool:
        row = self._catalog.staged_file(id, number)
        return row is None or self._is_here(id, content_of(row))
