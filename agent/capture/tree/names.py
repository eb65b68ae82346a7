"""Names: what stands at a path now, and which known object it is.

A path is resolved from the root, component by component, against the filesystem and the catalog at once. What differs is captured
before anything below it, so every chain of names that gets into a batch was seen at nearly one time. What an entry leaves behind
(the other half of a move, whatever stands at an old name) is followed up in the same batch.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict, deque
from collections.abc import Generator
from dataclasses import dataclass, replace

from agent.capture.batch import Name, TreeBatch, kind_of
from agent.capture.directories import Directories
from agent.capture.exclude import Rules
from agent.capture.files.objects import MOUNT_HANDLE, Objects, Outcome, mount_handle
from agent.capture.files.waiting_for_room import Later
from agent.capture.path_problems import PathProblems
from agent.capture.refused import may_pass
from agent.capture.remote import stat_of_mount
from agent.capture.tickets import LargeQueue, ReadOnce, Told
from agent.capture.tree.identify import Candidate, identify
from agent.capture.tree.moves import Leaving, Moved
from agent.capture.tree.removals import Dropping, Steps
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import open_dir
from agent.fs.handles import SUBVOLUME_INODE, handle_and_mount, handle_of, is_read_only_subvolume
from agent.watch.hint import Hint, Look

_ROUNDS = 4
_RETRIES = 20
_REMEMBERED = 10_000
#: Without the privilege to ask objects where they are, so many removals wait for the end of a walk.
_MISSING = 50_000
#: So many files with several names are read once in a walk; what is beyond is read at each name.
_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was found at (``parent``, ``name``), where the catalog has ``known``."""

    parent: ObjectId
    name: bytes
    st: os.stat_result
    handle: bytes
    known: ObjectId | None


class Looker:
    """Looks at entries and brings the batch up to what it sees. Its methods that return ``Steps`` do nothing until they are run.

    The pump takes from here: ``again``, hints to be given back to settle; ``appeared``, directories that are new, to be
    walked; ``doomed``, directories that lost their name with much below them: the batch is to be forgotten, and what is
    below them dropped first. ``large``: files to be read in slices; ``later``: entries that wait for the link.
    ``missing``: removals that wait for the end of a walk, while that walk looks; ``read_once``: files with several names that it
    has read at one of them. ``serial`` rises with every hint looked at."""

    def __init__(
        self,
        batch: TreeBatch,
        directories: Directories,
        objects: Objects,
        rules: Rules,
        problems: PathProblems,
        large: LargeQueue,
        later: Later,
    ) -> None:
        self.again: list[Hint] = []
        self.appeared: list[ObjectId] = []
        self.large = large
        self.later = later
        self.doomed: list[ObjectId] = []
        self.serial = 0
        self.unlistable: set[ObjectId] = set()
        self.missing: dict[Name, ObjectId] | None = None
        self.read_once: ReadOnce | None = None
        self._batch = batch
        self._directories = directories
        self._objects = objects
        self._rules = rules
        self._problems = problems
        self._age = 0
        self._content = True
        self._moved_from: Name | None = None
        self._todo: deque[bytes] = deque()
        self._followed: dict[bytes, int] = {}
        self._asked: set[ObjectId] = set()
        #: Where objects were found by their names since hints were last taken, and whether content was asked for; and those that
        #: were at none of their names, all of which are to be looked at.
        self._found_at: dict[ObjectId, tuple[Name, bool]] = {}
        self._nowhere: set[ObjectId] = set()
        self._dropping = Dropping(batch, directories, problems, self)
        self._moved = Moved(batch)
        self._retries: OrderedDict[bytes, int] = OrderedDict()
        #: The directory and the handle of the hint before, if they belong together: most hints come in company.
        self._agreed: tuple[ObjectId | None, bytes] = None, b""

    # --- from hints to entries

    def look(self, hint: Hint) -> Steps:
        """Look at what a hint points at: always reads. What must be looked at below it is left to the caller."""
        self.serial += 1
        self._age, self._content = hint.age, hint.content
        try:
            if hint.path:
                yield from self._look_at(hint)
            elif hint.handle and hint.look is Look.ENTRY:
                self._look_for_known(hint.handle)
            else:
                self._objects.root()
            yield from self.follow_up()
        finally:
            self._age, self._content, self._moved_from = 0, True, None

    def _look_at(self, hint: Hint) -> Steps:
        if hint.moved_from is not None:
            above, _, name = hint.moved_from.rpartition(b"/")
            known = ROOT if not above else self._batch.verified.get(above)
            self._moved_from = (known, name) if known is not None else None
        parent = yield from self.examine(hint.path)
        if hint.within:
            self._look_within(hint, parent)
        if self._moved:
            self._look_where_moved(hint.path, parent)
        if hint.handle:
            here = self._batch.child(parent, hint.path.rpartition(b"/")[2]) if parent is not None else None
            if here is None or here != self._batch.by_handle(hint.handle):
                self._look_for(hint.handle)
        if hint.moved_from is not None:
            self._todo.append(hint.moved_from)
            if self._moved:
                self._look_where_moved(hint.moved_from, None)

    def _look_for_known(self, handle: bytes) -> None:
        """The object with this handle, if it is one of ours: changes of all others on the filesystem come here too. One that
        is not known yet has a hint of its name, and is read after this."""
        if self._batch.by_handle(handle) is not None:
            self._look_for(handle)

    def _look_for(self, handle: bytes) -> None:
        """The object with this handle, wherever it is."""
        id = self._batch.by_handle(handle)
        if id == ROOT:
            self._objects.root()
            return
        if id is not None and self._look_at_object(id):
            return
        path = self._directories.locate_handle(handle)
        if path:
            self._todo.append(path)

    def hints_taken(self) -> None:
        """Hints were taken that may be younger than what was looked at so far."""
        self._found_at.clear()

    def _look_at_object(self, id: ObjectId) -> bool:
        """Look at an object's names up to the first that it still stands at; whether there is one. Once for all hints that were
        taken together: one file may have very many names that go one by one."""
        seen, content = self._found_at.get(id, (None, False))
        if seen is not None and content >= self._content and self._batch.child(*seen) == id:
            return True
        if id in self._nowhere:
            return False
        for parent, name in self._batch.names_of(id):
            self._todo.append(self._batch.path(parent, name))
            if self._carries(parent, name, id):
                if len(self._found_at) >= _REMEMBERED:
                    self._found_at.clear()
                self._found_at[id] = (parent, name), self._content
                return True
        self._nowhere.add(id)
        return False

    def _look_within(self, hint: Hint, looked_in: ObjectId | None) -> None:
        """Directories above may have been called otherwise when the path was made: the handle says which one was meant."""
        if (looked_in, hint.within) == self._agreed:
            return
        meant = self._batch.by_handle(hint.within)
        if meant is not None and meant == looked_in:
            self._agreed = looked_in, hint.within
        elif meant is not None and self._batch.is_directory(meant):
            self._todo.append(self._batch.path(meant, hint.path.rpartition(b"/")[2]))

    def _look_where_moved(self, path: bytes, looked_in: ObjectId | None) -> None:
        """A hint may be from before a directory above it left its name: then it means the entry where that is now."""
        *above, name = path.split(b"/")
        for directory in self._moved.meant(above, self.serial):
            if directory != looked_in and self._batch.is_directory(directory):
                self._todo.append(self._batch.path(directory, name))

    def directories_meant(self, hint: Hint) -> set[ObjectId]:
        """After :meth:`look`: the directories that a hint may have been about, wherever they are now."""
        batch = self._batch
        meant = self._moved.meant(hint.path.split(b"/") if hint.path else [], self.serial)
        by_handle = batch.by_handle(hint.handle) if hint.handle else None
        if by_handle is not None:
            meant.append(by_handle)
        return {id for id in meant if batch.is_directory(id) and not self.is_mount(id)}

    def left_from_below(self, top: ObjectId) -> set[ObjectId]:
        """Directories that stood below this one until of late: a hint about all below it may mean what is in them."""
        return self._moved.out_of(top, self.serial)

    def just_left(self) -> list[Leaving]:
        """Directories that left a name since this was last asked."""
        fresh, self._moved.fresh = self._moved.fresh, []
        return fresh

    def follow_up(self) -> Steps:
        """Look at everything that earlier looks left to be looked at."""
        yield from self._drain()
        self._followed.clear()
        self._asked.clear()
        self._nowhere.clear()

    def _drain(self) -> Steps:
        while self._todo:
            path = self._todo.popleft()
            times = self._followed[path] = self._followed.get(path, 0) + 1
            if times >= _ROUNDS:
                self.give_back(path)
            else:
                yield from self.examine(path)

    def give_back(self, path: bytes, why: OSError | None = None) -> None:
        """Something moved while it was looked at, or there was an error that may pass: look again soon, with the age of the hint
        that led here."""
        times = self._retries[path] = self._retries.pop(path, 0) + 1
        if times > _RETRIES:
            del self._retries[path]
            self._problems.unreadable(path, why or OSError("it never stands still"))
            return
        if len(self._retries) > _REMEMBERED:
            self._retries.popitem(last=False)
        self.again.append(Hint(path, Look.ENTRY, age=self._age))

    def examine(self, path: bytes) -> Generator[None, None, ObjectId | None]:
        """Look at one path; the directory it stands in, or None when there is no way to it."""
        head, _, name = path.rpartition(b"/")
        parent = ROOT if not head else self._batch.verified.get(head)
        if parent is None:
            parent = yield from self._resolve(head, name)
            if parent is None:
                return None
        yield from self.entry(parent, name)
        return parent

    def _resolve(self, head: bytes, rest: bytes) -> Generator[None, None, ObjectId | None]:
        """The directory at path ``head``, everything on the way to it captured; None when there is none."""
        parent, at = ROOT, 0
        while at <= len(head):
            end = head.find(b"/", at)
            end = len(head) if end < 0 else end
            prefix, component = head[:end], head[at:end]
            found = self._batch.verified.get(prefix)
            if found is None:
                found = yield from self._directory(parent, component, head[end + 1 :], rest)
                if found is None:
                    return None
                self._batch.passed(prefix, found)
            parent, at = found, end + 1
        return parent

    def _directory(self, parent: ObjectId, name: bytes, *below: bytes) -> Generator[None, None, ObjectId | None]:
        """The directory at an entry, which is captured first unless the catalog has it just so."""
        batch = self._batch
        known = batch.child(parent, name)
        if known is not None and batch.is_directory(known) and self._carries(parent, name, known):
            return known
        yield from self.entry(parent, name)
        yield from self._drain()
        now = batch.child(parent, name)
        moved = known if known is not None and known != now else self._moved.from_here(parent, name)
        if moved is not None and moved != now and batch.is_directory(moved) and (path := batch.path_of(moved)):
            # The hint may have meant the directory that stood here and moved on.
            self._todo.append(b"/".join([path, *filter(None, below)]))
        if now is None or not batch.is_directory(now) or self.is_mount(now):
            return None
        return now

    def is_mount(self, id: ObjectId) -> bool:
        """Whether a directory is one that something is mounted on."""
        fact = self._batch.fact(id)
        return fact is not None and fact.handle.startswith(MOUNT_HANDLE)

    def _carries(self, parent: ObjectId, name: bytes, id: ObjectId) -> bool:
        """Whether the object that is known as ``id`` stands at this entry."""
        fact = self._batch.fact(id)
        if self._is_remote(parent, name):
            return fact is not None and fact.handle == mount_handle(parent, name)
        try:
            return fact is not None and handle_of(self._directories.fd(parent), name) == fact.handle
        except OSError:
            return False

    def _is_remote(self, parent: ObjectId, name: bytes) -> bool:
        """Whether something is mounted at the entry that may never answer."""
        remote = self._directories.remote
        remote.look()
        return name in remote.names and remote.stands_at(self._batch.path(parent, name))

    # --- one entry

    def entry(self, parent: ObjectId, name: bytes) -> Steps:
        """Bring the batch up to what stands at this entry now."""
        failure: OSError | None = None
        for _ in range(_ROUNDS):
            self._batch.touch(parent)
            known = self._batch.child(parent, name)
            try:
                found = self._find(parent, name, known)
            except OSError as error:
                if not may_pass(error):
                    self._problems.unreadable(self._batch.path(parent, name), error)
                    return
                # The directory itself is not where it was: that comes first, when the path is resolved again.
                failure = error
                break
            if found is None:
                if known is not None:
                    yield from self._vanished(parent, name, known)
                return
            if (yield from self._take(found)):
                return
        self.give_back(self._batch.path(parent, name), failure)

    def _find(self, parent: ObjectId, name: bytes, known: ObjectId | None) -> Entry | None:
        """What stands at the entry; None when nothing does that counts. OSError when there is no such directory."""
        fd = self._directories.fd(parent)
        if parent == ROOT and name == PRIVATE_DIR:
            return None
        if self._is_remote(parent, name):
            st = stat_of_mount(fd)
            return (
                Entry(parent, name, st, mount_handle(parent, name), known) if self._counts(parent, name, st) else None
            )
        try:
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not self._counts(parent, name, st):
                return None
            handle, mount = handle_and_mount(fd, name)
            if mount != self._directories.mount:
                return self._mounted(Entry(parent, name, st, handle, known))
            if known is None and self._is_snapshot(parent, name, st):
                return None
            return Entry(parent, name, st, handle, known)
        except FileNotFoundError:
            self._problems.well(lambda: self._batch.path(parent, name))
            return None

    def _counts(self, parent: ObjectId, name: bytes, st: os.stat_result) -> bool:
        if self._rules and self._rules.excluded(self._batch.path(parent, name), stat.S_ISDIR(st.st_mode)):
            return False
        if stat.S_ISSOCK(st.st_mode):
            self._problems.socket(self._batch.path(parent, name))
            return False
        return True

    def _mounted(self, entry: Entry) -> Entry | None:
        """What is mounted at an entry is not crossed: a directory is taken for an empty one, a file for none."""
        if stat.S_ISDIR(entry.st.st_mode):
            return replace(entry, handle=mount_handle(entry.parent, entry.name))
        self._problems.mount(self._batch.path(entry.parent, entry.name), is_dir=False)
        return None

    def _is_snapshot(self, parent: ObjectId, name: bytes, st: os.stat_result) -> bool:
        """Whether it is a read-only subvolume of btrfs, which is left out as a whole unless a rule includes it. One that is known
        was written here: that it may not be now is no reason to drop it."""
        if not stat.S_ISDIR(st.st_mode) or st.st_ino != SUBVOLUME_INODE:
            return False
        fd = open_dir(self._directories.fd(parent), name)
        try:
            if not is_read_only_subvolume(fd):
                return False
        finally:
            os.close(fd)
        path = self._batch.path(parent, name)
        if self._rules.included(path):
            return False
        self._problems.snapshot(path)
        return True

    def _take(self, entry: Entry) -> Generator[None, None, bool]:
        """Bring one found entry into the batch; False when it must be found anew first."""
        id = self._identified(entry)
        if entry.known is not None and id == entry.known:
            self._capture_as_told(id, entry)
            return True
        if entry.known is not None and (yield from self._clear_way(entry.known)):
            return False
        if id is None:
            self._add(entry)
        else:
            self._rename(id, entry)
        return True

    def _identified(self, entry: Entry) -> ObjectId | None:
        return self._identify(stat.S_IFMT(entry.st.st_mode), entry.handle, entry.known)

    def _identify(self, kind: int, handle: bytes, known: ObjectId | None) -> ObjectId | None:
        by_handle = self._candidate(self._batch.by_handle(handle), handle)
        by_name = None
        if known is not None and (by_handle is None or by_handle.id != known):
            fact = self._batch.fact(known)
            by_name = self._candidate(known, fact.handle if fact is not None else None)
        return identify(kind, handle, by_handle, by_name)

    def _candidate(self, id: ObjectId | None, handle: bytes | None) -> Candidate | None:
        row = self._batch.object(id) if id is not None else None
        return Candidate(id, kind_of(row), handle) if id is not None and row is not None else None

    def capture(self, id: ObjectId, entry: Entry) -> Outcome:
        """Bring the object at an entry into the batch; what cannot be done now is left where it will be done."""
        linked = entry.st.st_nlink > 1 and stat.S_ISREG(entry.st.st_mode)
        if linked and self._is_as_read_once(id, entry.st):
            return Outcome.DONE
        outcome = self._objects.capture(id, self._batch.object(id), entry.parent, entry.name, entry.st, entry.handle)
        if linked and outcome is Outcome.DONE:
            self.remember_read(self.read_once, id, entry.st)
        if outcome is Outcome.LARGE:
            name = (entry.parent, entry.name)
            told = Told(self.read_once, self._content) if linked else None
            new = entry.st.st_size if self._batch.object(id) is None else 0
            self.large.add(name, *self._objects.spared_until(name), told, new)
        elif outcome is Outcome.LATER:
            self.later.add((entry.parent, entry.name), *self._objects.waiting())
        elif outcome is Outcome.WRITTEN:
            self.again.append(Hint(self._batch.path(entry.parent, entry.name), Look.ENTRY, age=self._age))
        elif outcome is Outcome.AGAIN:
            self.give_back(self._batch.path(entry.parent, entry.name))
        elif id in self.unlistable and outcome is Outcome.DONE:
            self.unlistable.discard(id)
            self.appeared.append(id)
        return outcome

    def _was_read(self, id: ObjectId) -> bool:
        return self.read_once is not None and id in self.read_once

    def _is_as_read_once(self, id: ObjectId, st: os.stat_result) -> bool:
        """Whether this walk read the file, and its stat tells of no change since. That its signature is racy, as it is within
        20 ms of a further link, is no reason to read it at each name: the fact says so, and the next reconcile reads it."""
        return self.read_once is not None and self.is_only_named(id, Told(self.read_once, content=True), st)

    @staticmethod
    def remember_read(read_once: ReadOnce | None, id: ObjectId, before: os.stat_result) -> None:
        """A walk read a file with several names; ``before``: its stat at that time."""
        if read_once is not None and len(read_once) < _ONCE:
            read_once[id] = before.st_ctime_ns

    def is_only_named(self, id: ObjectId, told: Told, st: os.stat_result) -> bool:
        """Whether a known file, whose stat is this now, need not be read for a name that was told so."""
        if told.read_once is None:
            return not told.content and self._objects.is_as_read(id, st)
        return told.read_once.get(id) == st.st_ctime_ns and self._objects.is_as_read(id, st)

    def name_again(self, name: Name, told: Told) -> None:
        """Look at an entry as it was told of: the file was read at another name. Its way was made (:meth:`make_way`)."""
        self.read_once, self._content = told.read_once, told.content
        try:
            for _ in self.entry(*name):
                pass
        finally:
            self.read_once, self._content = None, True

    def _add(self, entry: Entry) -> None:
        """A new object."""
        id = self._batch.fresh_id()
        if self.capture(id, entry) is not Outcome.DONE:
            return
        self.name(entry.parent, entry.name, id)
        if stat.S_ISDIR(entry.st.st_mode) and not self.is_mount(id):
            self.appeared.append(id)

    def name(self, parent: ObjectId, name: bytes, id: ObjectId) -> None:
        """Let a name stand for an object of the batch; what it stood for before may have moved, or is gone."""
        before = self._batch.child(parent, name)
        if before is not None and before != id:
            self._moved.leaves(parent, name, self.serial)
        self._batch.put_name(parent, name, id)
        if before is not None and before != id:
            self._displaced(before)

    def _rename(self, id: ObjectId, entry: Entry) -> None:
        """A known object at a place where it was not: moved here, or a further name of it."""
        batch = self._batch
        is_dir = stat.S_ISDIR(entry.st.st_mode)
        if is_dir and batch.is_below(entry.parent, id):
            # The catalog is behind on what is above: whoever moved that will be heard of.
            self.give_back(batch.path(entry.parent, entry.name))
            return
        if is_dir or batch.names_count(id) >= entry.st.st_nlink:
            self._leave_what_left(id, entry)
        self.name(entry.parent, entry.name, id)
        self._capture_as_told(id, entry)

    def _capture_as_told(self, id: ObjectId, entry: Entry) -> None:
        if self._content or not self._objects.named(id, entry.parent, entry.name, entry.st):
            self.capture(id, entry)

    def _leave_what_left(self, id: ObjectId, entry: Entry) -> None:
        """An object has no room for one more name: those it does not stand at are taken from it, until it has. What left besides,
        while it has further names outside, is told of by itself."""
        batch, many = self._batch, self._batch.names_count(id)
        names = batch.names_of(id)
        if self._moved_from is not None and self._moved_from in names:
            names.remove(self._moved_from)
            names.insert(0, self._moved_from)
        is_dir = stat.S_ISDIR(entry.st.st_mode)
        for parent, name in names:
            if not is_dir and many < entry.st.st_nlink:
                return
            if not is_dir and entry.st.st_nlink > 1 and self._carries(parent, name, id):
                continue
            was = self._leave(parent, name)
            many -= 1
            if is_dir:
                here = batch.path(entry.parent, entry.name)
                self._todo.extend(here + b"/" + way for way in self._problems.moved(was))

    def _leave(self, parent: ObjectId, name: bytes) -> bytes:
        """A moved object's old name, and its path; what stands there now is looked at next."""
        self._batch.touch(parent)
        path = self._batch.path(parent, name)
        self._moved.leaves(parent, name, self.serial)
        self._batch.drop_name(parent, name)
        try:
            if not self._is_remote(parent, name):
                os.stat(name, dir_fd=self._directories.fd(parent), follow_symlinks=False)
        except OSError:
            self._problems.well(lambda: path)
        else:
            self._todo.append(path)
        return path

    # --- what is not there any more

    def _vanished(self, parent: ObjectId, name: bytes, id: ObjectId) -> Steps:
        """Nothing stands where the catalog has this object: it moved, or one of its names or all of it is gone."""
        batch = self._batch
        here = batch.path(parent, name)
        if batch.names_count(id) > 1:
            batch.drop_name(parent, name)
            if self._content and not self._was_read(id):
                # The hint may have been about its content.
                self._look_at_object(id)
            return
        if id not in self._asked and (moved_to := self._directories.locate(id)) is not None:
            self._asked.add(id)
            self._todo += (moved_to, here)
            return
        if self.missing is not None and len(self.missing) < _MISSING:
            self.missing[parent, name] = id
            return
        yield from self.drop_below(id)
        self._problems.emptied(lambda: here)
        if batch.names_of(id) == [(parent, name)]:
            batch.drop_name(parent, name)
            self.forget(id)

    def _clear_way(self, id: ObjectId) -> Generator[None, None, bool]:
        """Before another object takes its only name: drop what is below a directory that is certainly gone.

        True when rows were dropped on the way: they may have been committed, so all must be looked at anew."""
        batch = self._batch
        if not self._directories.can_locate or not batch.is_directory(id):
            return False
        if not batch.has_children(id) or self._directories.locate(id) is not None:
            return False
        yield from self.drop_below(id)
        return True

    def identified_file(self, name: Name, handle: bytes) -> ObjectId | None:
        """The known object that a regular file with this handle at this name is."""
        known = self._batch.child(*name)
        return self._identify(stat.S_IFREG, handle, known)

    def make_way(self, name: Name, handle: bytes) -> Steps:
        """Before a file gets a name: drop what is below a directory that stood there and is certainly gone."""
        known = self._batch.child(*name)
        if known is not None and known != self.identified_file(name, handle):
            yield from self._clear_way(known)

    def _displaced(self, id: ObjectId) -> None:
        """Another object took one of its names."""
        if self._batch.names_count(id):
            # The hint may have been about its content.
            self._look_at_object(id)
            return
        moved_to = self._directories.locate(id)
        if moved_to is not None:
            self._todo.append(moved_to)
        if moved_to is not None or not self._directories.can_locate or self._batch.has_children(id):
            self._batch.orphans.add(id)
        else:
            self.forget(id)

    def settle_orphans(self) -> None:
        """Objects that lost their names and were not found elsewhere are gone."""
        orphans = self._batch.orphans
        for id in list(orphans):
            if id not in orphans:
                # What was below an earlier one led to it: it has a name again, or is gone already.
                continue
            if self._few_below(id):
                for _ in self.drop_below(id):
                    pass
                if id in orphans and not self._batch.has_children(id):
                    self.forget(id)
            else:
                self.doomed.append(id)

    def _few_below(self, id: ObjectId, limit: int = 500) -> bool:
        todo, count = [id], 0
        while todo:
            for _, child in self._batch.children(todo.pop()):
                count += 1
                if count > limit:
                    return False
                if self._batch.is_directory(child):
                    todo.append(child)
        return True

    def drop_below(self, top: ObjectId) -> Steps:
        """Drop everything below a directory that is gone."""
        return self._dropping.drop_below(top)

    def forget(self, id: ObjectId) -> None:
        """An object without names is gone."""
        self._batch.drop_object(id)
        self._directories.forget(id)
        self.unlistable.discard(id)
