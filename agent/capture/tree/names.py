"""Names: what stands at a path now, and which known object it is.

A path is resolved from the root, component by component, against the filesystem and the catalog at once. What differs is captured
before anything below it, so every chain of names that gets into a batch was seen at nearly one time. What an entry leaves behind
(the other half of a move, whatever stands at an old name) is followed up in the same batch.
"""

from __future__ import annotations

from collections.abc import Generator

from agent.capture.batch import Name
from agent.capture.files.objects import Objects
from agent.capture.files.waiting import Queues
from agent.capture.open_tree import Entry, OpenTree
from agent.capture.refused import may_pass
from agent.capture.tree.arrivals import Arrivals
from agent.capture.tree.departures import Departures
from agent.capture.tree.entries import Entries
from agent.capture.tree.meaning import Meaning, meaning
from agent.capture.tree.moves import Moved
from agent.capture.tree.retries import Retries
from agent.capture.tree.trail import Purpose, Saw, Steps, Trail
from agent.capture.tree.whereabouts import Whereabouts
from agent.core.ids import ROOT, ObjectId
from agent.watch.hint import Hint, Look

_ROUNDS = 4


class Looker:
    """Looks at entries and brings the batch up to what it sees. Its methods that return generators do nothing until they are
    run. What a look leaves to others stands in its trail, and is returned where there is no other.

    ``entries``, ``arrivals``, ``departures``, ``retries`` and ``moved`` are its parts, which walks and large files use too."""

    def __init__(self, tree: OpenTree, objects: Objects, queues: Queues) -> None:
        self._batch = tree.batch
        self._problems = tree.problems
        self._objects = objects
        self._queues = queues
        self.entries = Entries(tree)
        self.moved = Moved(tree.batch)
        self.retries = Retries(tree.problems)
        self._whereabouts = Whereabouts(tree, objects, self.entries)
        self.departures = Departures(tree, self._whereabouts, self)
        self.arrivals = Arrivals(
            tree, objects, queues, self.entries, self.departures, retries=self.retries, moved=self.moved
        )
        self.hints_taken = self._whereabouts.hints_taken

    @property
    def large_waiting(self) -> int:
        """How many large files are to be read now."""
        return len(self._queues.large)

    # --- from hints to entries

    def look(self, hint: Hint) -> Generator[None, None, Saw]:
        """Look at what a hint points at: always reads. What must be looked at below it is left to the caller.

        On exit everything that the look came to is in the batch or returned; nothing on its way is still to be looked at."""
        self.moved.look_begins()
        trail = Trail(self._purpose(hint))
        if hint.path:
            yield from self._look_at(trail, hint)
        elif hint.handle and hint.look is Look.ENTRY:
            self._whereabouts.follow_known_handle(trail, hint.handle)
        else:
            self._objects.root()
        yield from self.follow_up(trail)
        return trail.saw()

    def _purpose(self, hint: Hint) -> Purpose:
        return Purpose(hint.age, hint.content, self._place(hint.moved_from) if hint.moved_from is not None else None)

    def _place(self, path: bytes) -> Name | None:
        """A path as an entry, if the way to it was compared in this batch."""
        above, _, name = path.rpartition(b"/")
        known = ROOT if not above else self._batch.verified.get(above)
        return (known, name) if known is not None else None

    def _look_at(self, trail: Trail, hint: Hint) -> Steps:
        parent = yield from self.examine(trail, hint.path)
        if hint.within:
            self._whereabouts.follow_within(trail, hint, parent)
        if self.moved:
            self._look_where_moved(trail, hint.path, parent)
        if hint.handle:
            here = self._batch.child(parent, hint.path.rpartition(b"/")[2]) if parent is not None else None
            if here is None or here != self._batch.by_handle(hint.handle):
                self._whereabouts.follow_handle(trail, hint.handle)
        if hint.moved_from is not None:
            trail.todo.append(hint.moved_from)
            if self.moved:
                self._look_where_moved(trail, hint.moved_from, None)

    def _look_where_moved(self, trail: Trail, path: bytes, looked_in: ObjectId | None) -> None:
        """A hint may be from before a directory above it left its name: then it means the entry where that is now."""
        *above, name = path.split(b"/")
        for directory in self.moved.meant(above):
            if directory != looked_in and self._batch.is_directory(directory):
                trail.todo.append(self._batch.path(directory, name))

    def directories_meant(self, hint: Hint) -> set[ObjectId]:
        """After :meth:`look`: the directories that a hint may have been about, wherever they are now."""
        batch = self._batch
        meant = self.moved.meant(hint.path.split(b"/") if hint.path else [])
        by_handle = batch.by_handle(hint.handle) if hint.handle else None
        if by_handle is not None:
            meant.append(by_handle)
        return {id for id in meant if batch.is_directory(id) and not self.entries.is_mount(id)}

    def follow_up(self, trail: Trail) -> Steps:
        """Look at everything that earlier looks left to be looked at. On exit the trail leads nowhere any more."""
        yield from self._drain(trail)
        trail.is_followed_up()

    def _drain(self, trail: Trail) -> Steps:
        while trail.todo:
            path = trail.todo.popleft()
            times = trail.followed[path] = trail.followed.get(path, 0) + 1
            if times >= _ROUNDS:
                self.retries.give_back(trail, path)
            else:
                yield from self.examine(trail, path)

    # --- from paths to entries

    def examine(self, trail: Trail, path: bytes) -> Generator[None, None, ObjectId | None]:
        """Look at one path; the directory it stands in, or None when there is no way to it."""
        head, _, name = path.rpartition(b"/")
        parent = ROOT if not head else self._batch.verified.get(head)
        if parent is None:
            parent = yield from self._resolve(trail, head, name)
            if parent is None:
                return None
        yield from self.entry(trail, parent, name)
        return parent

    def _resolve(self, trail: Trail, head: bytes, rest: bytes) -> Generator[None, None, ObjectId | None]:
        """The directory at path ``head``, everything on the way to it captured; None when there is none."""
        parent, at = ROOT, 0
        while at <= len(head):
            end = head.find(b"/", at)
            end = len(head) if end < 0 else end
            prefix, component = head[:end], head[at:end]
            found = self._batch.verified.get(prefix)
            if found is None:
                found = yield from self._directory(trail, (parent, component), head[end + 1 :], rest)
                if found is None:
                    return None
                self._batch.passed(prefix, found)
            parent, at = found, end + 1
        return parent

    def _directory(self, trail: Trail, place: Name, *below: bytes) -> Generator[None, None, ObjectId | None]:
        """The directory at an entry, which is captured first unless the catalog has it just so."""
        batch = self._batch
        known = batch.child(*place)
        if known is not None and batch.is_directory(known) and self.entries.carries(*place, known):
            return known
        yield from self.entry(trail, *place)
        yield from self._drain(trail)
        now = batch.child(*place)
        moved = known if known is not None and known != now else self.moved.from_here(*place)
        if moved is not None and moved != now and batch.is_directory(moved) and (path := batch.path_of(moved)):
            # The hint may have meant the directory that stood here and moved on.
            trail.todo.append(b"/".join([path, *filter(None, below)]))
        if now is None or not batch.is_directory(now) or self.entries.is_mount(now):
            return None
        return now

    # --- one entry

    def entry(self, trail: Trail, parent: ObjectId, name: bytes) -> Steps:
        """Bring the batch up to what stands at this entry now. On exit it is, or the trail has the entry once more, or its path
        has a problem."""
        failure: OSError | None = None
        for _ in range(_ROUNDS):
            self._batch.touch(parent)
            known = self._batch.child(parent, name)
            try:
                found = self.entries.find(parent, name, known, trail.purpose.synced_at)
            except OSError as error:
                if not may_pass(error):
                    self._problems.unreadable(self._batch.path(parent, name), error)
                    return
                # The directory itself is not where it was: that comes first, when the path is resolved again.
                failure = error
                break
            if (yield from self._bring(trail, (parent, name), found, known)):
                return
        self.retries.give_back(trail, self._batch.path(parent, name), failure)

    def _bring(
        self, trail: Trail, place: Name, entry: Entry | None, known: ObjectId | None
    ) -> Generator[None, None, bool]:
        """Bring into the batch what was found where the catalog has ``known``; False when it must be found anew first."""
        id = self.entries.object_at(entry) if entry is not None else None
        meant = meaning(entry is not None, id, known)
        if known is not None and meant is Meaning.VANISHED:
            yield from self.departures.vanished(trail, *place, known)
        if entry is None:
            return True
        if known is not None and meant.clears and (yield from self.departures.clear_way(trail, known)):
            return False
        if id is None:
            self.arrivals.add(trail, entry)
        elif meant is Meaning.CAPTURE:
            self.arrivals.capture_as_told(trail, id, entry)
        else:
            self.arrivals.rename(trail, id, entry)
        return True

    # --- for a large file, which was opened by its name and read before it gets one

    def make_way(self, trail: Trail, place: Name, handle: bytes) -> Steps:
        """Before a file gets a name: drop what is below a directory that stood there and is certainly gone."""
        known = self._batch.child(*place)
        if known is not None and known != self.entries.file_at(place, handle):
            yield from self.departures.clear_way(trail, known)
