"""What the applier asks about an adopted tree, before it reads or changes a file in it."""

from __future__ import annotations

import os

from agent.adopt.adopted_tree import AdoptedTree
from agent.adopt.copying import Copier, runs
from agent.fs.handles import handle_of


class ChangeGuard:
    """``apply.ports.Adopted`` over a tree. For the applying thread."""

    def __init__(self, tree: AdoptedTree, copier: Copier) -> None:
        self._tree = tree
        self._copier = copier

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        """The chunk list of a file that did not change since it was read; None: it must be read."""
        known = self._tree.known
        found = known.by_handle(handle) if known is not None else None
        return found[1].content if found is not None and found[1].is_unchanged(st) else None

    def may_patch(self) -> bool:
        """What was relied on in it is copied before."""
        return True

    def before_change(self, fd: int, name: bytes) -> bool:
        """The entry is about to be overwritten or removed: what is relied on in it is copied, durably."""
        self._copy(fd, name)
        return False

    def _copy(self, fd: int, name: bytes) -> None:
        known = self._tree.known
        if known is None:
            return
        try:
            found = known.by_handle(handle_of(fd, name))
        except FileNotFoundError:
            return
        due = known.take(found[0]) if found is not None else []
        if found is None or not due:
            return
        opened = self._tree.open_file(found[1])
        try:
            for run in runs(due):
                self._copier.copy(known, run, opened)
        finally:
            if opened is not None:
                os.close(opened)
