"""Subtrees that are gone: dropped deepest first, in slices, so that every commit on the way is a valid tree."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from agent.capture.open_tree import OpenTree
from agent.capture.tree.trail import Steps, Trail
from agent.core.ids import ObjectId

#: Drops that lead to further drops are followed so deep.
_NESTED = 8


class Examiner(Protocol):
    """A looker, as removals see it."""

    def examine(self, trail: Trail, path: bytes) -> Generator[None, None, ObjectId | None]:
        """Look at a path, where something was moved to."""
        ...


class Removals:
    """Drops what is below directories. Belongs to one looker. ``revived``: how many turned out to live when some of what is below
    them had been dropped."""

    def __init__(self, tree: OpenTree, examiner: Examiner) -> None:
        self.revived = 0
        self._batch = tree.batch
        self._directories = tree.directories
        self._problems = tree.problems
        self._examiner = examiner

    def drop_below(self, trail: Trail, top: ObjectId) -> Steps:
        """Drop everything below a directory that is gone, deepest first; stops when the directory turns out to live."""
        trail.tops.append(self._batch.path_of(top))
        try:
            yield from self._drop_deepest_first(trail, top)
        finally:
            trail.tops.pop()

    def forget(self, id: ObjectId) -> None:
        """An object without names is gone."""
        self._batch.drop_object(id)
        self._directories.forget(id)

    def _drop_deepest_first(self, trail: Trail, top: ObjectId) -> Steps:
        batch = self._batch
        names = batch.names_of(top)
        stack = [top] if batch.is_directory(top) else []
        while stack:
            at = stack[-1]
            page = batch.children(at)
            if not page:
                stack.pop()
                if at != top:
                    self._drop_empty(at)
                continue
            for name, child in page:
                if (yield from self._was_moved_out(trail, at, name, child)):
                    continue
                if batch.has_children(child):
                    stack.append(child)
                    break
                batch.drop_name(at, name)
                if not batch.names_count(child):
                    self.forget(child)
                yield
                if batch.names_of(top) != names:
                    self.revived += 1
                    trail.to_walk(top)
                    return

    def _was_moved_out(self, trail: Trail, parent: ObjectId, name: bytes, id: ObjectId) -> Generator[None, None, bool]:
        """Whether an entry of a directory that is gone lives elsewhere; it is named there then.

        Not if it moved into what stands at that directory's place now: that cannot be named before the old one is gone.
        It becomes a new object, whose content nobody needs to send."""
        batch = self._batch
        self._problems.left(lambda: batch.path(parent, name))
        if batch.names_count(id) == 1 and len(trail.tops) <= _NESTED:
            moved_to = self._directories.locate(id)
            if moved_to is not None and not any(_is_within(moved_to, top) for top in trail.tops):
                yield from self._examiner.examine(trail, moved_to)
        return batch.child(parent, name) != id

    def _drop_empty(self, id: ObjectId) -> None:
        for parent, name in self._batch.names_of(id):
            self._batch.drop_name(parent, name)
        self.forget(id)


def _is_within(path: bytes, top: bytes | None) -> bool:
    return top is not None and (path == top or path.startswith(top + b"/"))
