"""Departures: objects that are not where they were. They moved, or lost one of their names, or are gone."""

from __future__ import annotations

from collections.abc import Generator

from agent.capture.open_tree import OpenTree
from agent.capture.tree.removals import Examiner, Removals
from agent.capture.tree.trail import Steps, Trail
from agent.capture.tree.whereabouts import Whereabouts
from agent.core.ids import ObjectId

#: Without the privilege to ask objects where they are, so many removals wait for the end of a walk.
_MISSING = 50_000
#: So much below an object without a name is dropped before a commit at once; more takes a drop of its own.
_FEW = 500


class Departures:
    """Takes names and objects out of the batch. Belongs to one looker, which is the ``examiner``."""

    def __init__(self, tree: OpenTree, whereabouts: Whereabouts, examiner: Examiner) -> None:
        self._batch = tree.batch
        self._directories = tree.directories
        self._problems = tree.problems
        self._whereabouts = whereabouts
        self._removals = Removals(tree, examiner)

    @property
    def revived(self) -> int:
        """See ``Removals``."""
        return self._removals.revived

    def vanished(self, trail: Trail, parent: ObjectId, name: bytes, id: ObjectId) -> Steps:
        """Nothing stands where the catalog has this object: it moved, or one of its names or all of it is gone.

        On entry the batch has the name. On exit it has not, or the trail leads to where the object is now and to this entry
        again, or the removal waits for the end of the walk."""
        batch, purpose = self._batch, trail.purpose
        here = batch.path(parent, name)
        if batch.names_count(id) > 1:
            batch.drop_name(parent, name)
            if purpose.content and (purpose.read_once is None or id not in purpose.read_once):
                # The hint may have been about its content.
                self._whereabouts.follow_object(trail, id)
            return
        if id not in trail.asked and (moved_to := self._directories.locate(id)) is not None:
            trail.asked.add(id)
            trail.todo += (moved_to, here)
            return
        if purpose.missing is not None and len(purpose.missing) < _MISSING:
            purpose.missing[parent, name] = id
            return
        yield from self.drop_below(trail, id)
        self._problems.emptied(lambda: here)
        if batch.names_of(id) == [(parent, name)]:
            batch.drop_name(parent, name)
            self._removals.forget(id)

    def displaced(self, trail: Trail, id: ObjectId) -> None:
        """Another object took one of its names. On exit it has another name, or is gone, or is an orphan: named nowhere, and
        not known to be gone."""
        batch = self._batch
        if batch.names_count(id):
            # The hint may have been about its content.
            self._whereabouts.follow_object(trail, id)
            return
        moved_to = self._directories.locate(id)
        if moved_to is not None:
            trail.todo.append(moved_to)
        if moved_to is not None or not self._directories.can_locate or batch.has_children(id):
            batch.orphans.add(id)
        else:
            self._removals.forget(id)

    def clear_way(self, trail: Trail, id: ObjectId) -> Generator[None, None, bool]:
        """Before another object takes its only name: drop what is below a directory that is certainly gone.

        True when rows were dropped on the way: they may have been committed, so all must be looked at anew."""
        if not self._directories.can_locate or not self._batch.is_directory(id):
            return False
        if not self._batch.has_children(id) or self._directories.locate(id) is not None:
            return False
        yield from self.drop_below(trail, id)
        return True

    def drop_below(self, trail: Trail, top: ObjectId) -> Steps:
        """Drop everything below a directory that is gone."""
        return self._removals.drop_below(trail, top)

    def settle_orphans(self, trail: Trail) -> list[ObjectId]:
        """Objects that lost their names and were not found elsewhere are gone. Those with much below them are told: the batch is
        to be forgotten, and what is below them dropped first."""
        orphans, doomed = self._batch.orphans, []
        for id in list(orphans):
            if id not in orphans:
                # What was below an earlier one led to it: it has a name again, or is gone already.
                continue
            if self._few_below(id):
                for _ in self.drop_below(trail, id):
                    pass
                if id in orphans and not self._batch.has_children(id):
                    self._removals.forget(id)
            else:
                doomed.append(id)
        return doomed

    def _few_below(self, id: ObjectId) -> bool:
        todo, count = [id], 0
        while todo:
            for _, child in self._batch.children(todo.pop()):
                count += 1
                if count > _FEW:
                    return False
                if self._batch.is_directory(child):
                    todo.append(child)
        return True
