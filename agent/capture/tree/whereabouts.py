"""Where do known objects stand now? Their names are looked at, or their handles asked."""

from __future__ import annotations

from agent.capture.batch import Name
from agent.capture.files.objects import Objects
from agent.capture.open_tree import OpenTree
from agent.capture.tree.entries import Entries
from agent.capture.tree.trail import Trail
from agent.core.ids import ROOT, ObjectId
from agent.watch.hint import Hint

_REMEMBERED = 10_000


class Whereabouts:
    """Leads looks to where objects are. Belongs to one looker."""

    def __init__(self, tree: OpenTree, objects: Objects, entries: Entries) -> None:
        self._batch = tree.batch
        self._directories = tree.directories
        self._objects = objects
        self._entries = entries
        #: Where objects were found by their names since hints were last taken, and whether content was asked for.
        self._found_at: dict[ObjectId, tuple[Name, bool]] = {}
        #: The directory and the handle of the hint before, if they belong together: most hints come in company.
        self._agreed: tuple[ObjectId | None, bytes] = None, b""

    def hints_taken(self) -> None:
        """Hints were taken that may be younger than what was looked at so far."""
        self._found_at.clear()

    def follow_known_handle(self, trail: Trail, handle: bytes) -> None:
        """The object with this handle, if it is one of ours: changes of all others on the filesystem come here too. One that
        is not known yet has a hint of its name, and is read after this."""
        if self._batch.by_handle(handle) is not None:
            self.follow_handle(trail, handle)

    def follow_handle(self, trail: Trail, handle: bytes) -> None:
        """The object with this handle, wherever it is."""
        id = self._batch.by_handle(handle)
        if id == ROOT:
            self._objects.root()
            return
        if id is not None and self.follow_object(trail, id):
            return
        path = self._directories.locate_handle(handle)
        if path:
            trail.todo.append(path)

    def follow_object(self, trail: Trail, id: ObjectId) -> bool:
        """Look at an object's names up to the first that it still stands at; whether there is one. Once for all hints that were
        taken together: one file may have very many names that go one by one."""
        seen, content = self._found_at.get(id, (None, False))
        if seen is not None and content >= trail.purpose.content and self._batch.child(*seen) == id:
            return True
        if id in trail.nowhere:
            return False
        for parent, name in self._batch.names_of(id):
            trail.todo.append(self._batch.path(parent, name))
            if self._entries.carries(parent, name, id):
                if len(self._found_at) >= _REMEMBERED:
                    self._found_at.clear()
                self._found_at[id] = (parent, name), trail.purpose.content
                return True
        trail.nowhere.add(id)
        return False

    def follow_within(self, trail: Trail, hint: Hint, looked_in: ObjectId | None) -> None:
        """Directories above may have been called otherwise when the path was made: the handle says which one was meant."""
        if (looked_in, hint.within) == self._agreed:
            return
        meant = self._batch.by_handle(hint.within)
        if meant is not None and meant == looked_in:
            self._agreed = looked_in, hint.within
        elif meant is not None and self._batch.is_directory(meant):
            trail.todo.append(self._batch.path(meant, hint.path.rpartition(b"/")[2]))
