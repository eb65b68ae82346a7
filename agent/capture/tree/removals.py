"""Subtrees that are gone: dropped deepest first, in slices, so that every commit on the way is a valid tree."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from agent.capture.batch import TreeBatch
from agent.capture.directories import Directories
from agent.capture.path_problems import PathProblems
from agent.core.ids import ObjectId

Steps = Generator[None, None, None]

#: Drops that lead to further drops are followed so deep.
_NESTED = 8


class RemovalHost(Protocol):
    """What dropping asks of whoever looks at names. ``appeared``: directories that are to be walked."""

    appeared: list[ObjectId]

    def examine(self, path: bytes) -> Generator[None, None, ObjectId | None]:
        """Look at a path, where something was moved to."""
        ...

    def forget(self, id: ObjectId) -> None:
        """An object without names is gone."""
        ...


class Dropping:
    """Drops what is below directories. Belongs to one looker."""

    def __init__(self, batch: TreeBatch, directories: Directories, problems: PathProblems, world: RemovalHost) -> None:
        self._batch = batch
        self._directories = directories
        self._problems = problems
        self._world = world
        #: Paths of the directories below which is being dropped; None for one without a name.
        self._tops: list[bytes | None] = []

    def drop_below(self, top: ObjectId) -> Steps:
        """Drop everything below a directory that is gone, deepest first; stops when the directory turns out to live."""
        self._tops.append(self._batch.path_of(top))
        try:
            yield from self._drop_deepest_first(top)
        finally:
            self._tops.pop()

    def _drop_deepest_first(self, top: ObjectId) -> Steps:
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
                if (yield from self._was_moved_out(at, name, child)):
                    continue
                if batch.has_children(child):
                    stack.append(child)
                    break
                batch.drop_name(at, name)
                if not batch.names_count(child):
                    self._world.forget(child)
                yield
                if batch.names_of(top) != names:
                    self._world.appeared.append(top)
                    return

    def _was_moved_out(self, parent: ObjectId, name: bytes, id: ObjectId) -> Generator[None, None, bool]:
        """Whether an entry of a directory that is gone lives elsewhere; it is named there then.

        Not if it moved into what stands at that directory's place now: that cannot be named before the old one is gone.
        It becomes a new object, whose content nobody needs to send."""
        batch = self._batch
        self._problems.left(lambda: batch.path(parent, name))
        if batch.names_count(id) == 1 and len(self._tops) <= _NESTED:
            moved_to = self._directories.locate(id)
            if moved_to is not None and not any(_is_within(moved_to, top) for top in self._tops):
                yield from self._world.examine(moved_to)
        return batch.child(parent, name) != id

    def _drop_empty(self, id: ObjectId) -> None:
        for parent, name in self._batch.names_of(id):
            self._batch.drop_name(parent, name)
        self._world.forget(id)


def _is_within(path: bytes, top: bytes | None) -> bool:
    return top is not None and (path == top or path.startswith(top + b"/"))
