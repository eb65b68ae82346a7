"""Arrivals: objects that stand where the catalog does not have them, or have changed where they stand."""

from __future__ import annotations

import os
import stat

from agent.capture.batch import Name
from agent.capture.files.large_queue import ReadOnce, Told
from agent.capture.files.objects import Objects, Outcome
from agent.capture.files.waiting import Queues
from agent.capture.open_tree import Entry, OpenTree
from agent.capture.tree.departures import Departures
from agent.capture.tree.entries import Entries
from agent.capture.tree.moves import Moved
from agent.capture.tree.retries import Retries
from agent.capture.tree.trail import Trail
from agent.core.ids import ObjectId
from agent.core.rows import size_of

#: So many files with several names are read once in a walk; what is beyond is read at each name.
_ONCE = 100_000


class Arrivals:
    """Brings found entries into the batch. Belongs to one looker. ``retries`` and ``moved``: what earlier looks met."""

    def __init__(
        self,
        tree: OpenTree,
        objects: Objects,
        queues: Queues,
        entries: Entries,
        departures: Departures,
        *,
        retries: Retries,
        moved: Moved,
    ) -> None:
        self._batch = tree.batch
        self._directories = tree.directories
        self._problems = tree.problems
        self._objects = objects
        self._queues = queues
        self._entries = entries
        self._departures = departures
        self._retries = retries
        self._moved = moved

    def add(self, trail: Trail, entry: Entry) -> None:
        """A new object. On entry nothing stands in its way; on exit the batch has it with its name, unless it is to be read
        later, or cannot be."""
        id = self._batch.fresh_id()
        if self.capture(trail, id, entry) is not Outcome.DONE:
            return
        self.name(trail, entry.place, id)
        if stat.S_ISDIR(entry.st.st_mode) and not self._entries.is_mount(id):
            trail.to_walk(id)

    def rename(self, trail: Trail, id: ObjectId, entry: Entry) -> None:
        """A known object at a place where it was not: moved here, or a further name of it."""
        batch = self._batch
        is_dir = stat.S_ISDIR(entry.st.st_mode)
        if is_dir and batch.is_below(entry.parent, id):
            # The catalog is behind on what is above: whoever moved that will be heard of.
            self._retries.give_back(trail, batch.path(*entry.place))
            return
        if is_dir or batch.names_count(id) >= entry.st.st_nlink:
            self._leave_what_left(trail, id, entry)
        self.name(trail, entry.place, id)
        self.capture_as_told(trail, id, entry)

    def capture_as_told(self, trail: Trail, id: ObjectId, entry: Entry) -> None:
        """A known object at its name: only its metadata, where the trail is about the name and no more than that changed."""
        if trail.purpose.content or not self._objects.named(id, entry):
            self.capture(trail, id, entry)

    def name(self, trail: Trail, place: Name, id: ObjectId) -> None:
        """Let a name stand for an object of the batch; what it stood for before may have moved, or is gone."""
        before = self._batch.child(*place)
        if before is not None and before != id:
            self._moved.leaves(*place)
        self._batch.put_name(*place, id)
        if before is not None and before != id:
            self._departures.displaced(trail, before)

    # --- what an object is

    def capture(self, trail: Trail, id: ObjectId, entry: Entry) -> Outcome:
        """Bring the object at an entry into the batch; what cannot be done now is left where it will be done."""
        linked = entry.st.st_nlink > 1 and stat.S_ISREG(entry.st.st_mode)
        read_once = trail.purpose.read_once
        # That its signature is racy, as it is within 20 ms of a further link, is no reason to read a file at each name: the fact
        # says so, and the next reconcile reads it.
        if linked and read_once is not None and self.is_only_named(id, Told(read_once, content=True), entry.st):
            return Outcome.DONE
        outcome = self._objects.capture(id, self._batch.object(id), entry)
        if outcome is not Outcome.DONE:
            self._put_off(trail, id, entry, outcome)
            return outcome
        if linked:
            self.remember_read(read_once, id, entry.st)
        if id in self._directories.unlistable:
            self._directories.unlistable.discard(id)
            trail.to_walk(id)
        return outcome

    def _put_off(self, trail: Trail, id: ObjectId, entry: Entry, outcome: Outcome) -> None:
        """Leave an entry that was not captured where it will be."""
        place, st = entry.place, entry.st
        if outcome is Outcome.LARGE:
            linked = st.st_nlink > 1 and stat.S_ISREG(st.st_mode)
            told = Told(trail.purpose.read_once, trail.purpose.content) if linked else None
            was = self._batch.object(id)
            grown = max(0, st.st_size - (0 if was is None else size_of(was)))
            # A walk reads also what may be as it was: that nobody waits for.
            new = grown if grown or trail.purpose.read_once is None else None
            self._queues.large.add(place, *self._objects.spared_until(place), told, new)
        elif outcome is Outcome.LATER:
            self._queues.later.add(place, *self._objects.waiting())
        elif outcome is Outcome.WRITTEN:
            trail.look_again(self._batch.path(*place))
        elif outcome is Outcome.AGAIN:
            self._retries.give_back(trail, self._batch.path(*place))

    def remember_read(self, read_once: ReadOnce | None, id: ObjectId, before: os.stat_result) -> None:
        """A walk read a file with several names; ``before``: its stat at that time."""
        if read_once is not None and len(read_once) < _ONCE:
            read_once[id] = before.st_ctime_ns

    def is_only_named(self, id: ObjectId, told: Told, st: os.stat_result) -> bool:
        """Whether a known file, whose stat is this now, need not be read for a name that was told so."""
        if told.read_once is None:
            return not told.content and self._objects.is_as_read(id, st)
        return told.read_once.get(id) == st.st_ctime_ns and self._objects.is_as_read(id, st)

    # --- what a moved object leaves

    def _leave_what_left(self, trail: Trail, id: ObjectId, entry: Entry) -> None:
        """An object has no room for one more name: those it does not stand at are taken from it, until it has. What left besides,
        while it has further names outside, is told of by itself."""
        batch, many = self._batch, self._batch.names_count(id)
        is_dir = stat.S_ISDIR(entry.st.st_mode)
        for parent, name in self._left_first(trail, batch.names_of(id)):
            if not is_dir and many < entry.st.st_nlink:
                return
            if not is_dir and entry.st.st_nlink > 1 and self._entries.carries(parent, name, id):
                continue
            was = self._leave(trail, parent, name)
            many -= 1
            if is_dir:
                here = batch.path(*entry.place)
                trail.todo.extend(here + b"/" + way for way in self._problems.moved(was))

    def _left_first(self, trail: Trail, names: list[Name]) -> list[Name]:
        """An object's names, first the one that the hint says was left."""
        left = trail.purpose.moved_from
        if left is not None and left in names:
            names.remove(left)
            names.insert(0, left)
        return names

    def _leave(self, trail: Trail, parent: ObjectId, name: bytes) -> bytes:
        """A moved object's old name, and its path; what stands there now is looked at next."""
        self._batch.touch(parent)
        path = self._batch.path(parent, name)
        self._moved.leaves(parent, name)
        self._batch.drop_name(parent, name)
        if self._entries.is_empty(parent, name):
            self._problems.well(lambda: path)
        else:
            trail.todo.append(path)
        return path
