"""Files whose vault gives the chunk list of the version before no more: they are read as new, and it is said of their path.

Only a node that was a standby has such lists. What is captured of the file afterwards stands in the catalog, so capture needs the
damaged part no more; earlier moments of the file do.
"""

from __future__ import annotations

from agent.capture.open_tree import OpenTree
from agent.core.ids import ObjectId
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import VAULT_DAMAGED


class DamagedLists:
    """Belongs to the pump's thread."""

    def __init__(self, tree: OpenTree, board: ProblemBoard) -> None:
        self._tree = tree
        self._board = board
        self._told: dict[ObjectId, bytes] = {}

    def lost(self, id: ObjectId, reason: str) -> None:
        """The version before of this file cannot be read."""
        batch, now = self._tree.batch, self._tree.clock.now_ns()
        path = next((batch.path(*name) for name in batch.names_of(id)), b"")
        said = f"a part of its chunk list is damaged in the vault ({reason}): it is read as if it were new"
        remedy = "none needed for what it holds now; for earlier moments of it: hikae generations verify"
        self._board.put(Problem(VAULT_DAMAGED, Severity.ERROR, now, path, said, remedy))
        self._told[id] = path

    def whole(self, id: ObjectId) -> None:
        """Its list can be read."""
        if self._told and id in self._told:
            self._board.clear(VAULT_DAMAGED, self._told.pop(id))
