"""The whole standby, directory by directory in the order of their ids, while the applier goes on between the steps.

An id stays with its directory wherever that is moved, and what is made anew has a higher one: so nothing is passed over. What the
applier changes meanwhile is looked at again, at the commit that stands then.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import TypeAlias

from agent.apply.converge.untouched import first_untouched
from agent.apply.output.directory import LOST_AND_FOUND
from agent.apply.verifying.comparison import Comparison
from agent.apply.verifying.entry import ROOT_ITSELF, EntryCheck
from agent.apply.verifying.findings import Place, VerifyFindings
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import (
    OBJECT_TAG,
    PRIVATE_DIR,
    decode_object,
    name_key,
    object_id_of_key,
    parent_and_name_of_key,
    tag_of_key,
)
from agent.fs.handles import handle_of, is_directory, is_mounted
from agent.fs.walk import Listing

#: What a walk yields after each entry: whether it can only wait, for a file that is still being written.
Steps: TypeAlias = Iterator[bool]
_PAGE = 500


class VerifyWalk:
    """Of one verify. ``steps`` goes on as far as its caller wants; before each run of steps the caller says by :meth:`begin` what
    stands now, and after it calls :meth:`end`."""

    def __init__(self, asked: Comparison, *, deep: bool, changed_kept: int) -> None:
        """``changed_kept``: so many keys that changed meanwhile wait before the walk itself goes on; four times as many are more
        than are held in memory."""
        self.found = VerifyFindings(asked.most)
        self.check = EntryCheck(asked, self.found, self._childless, deep=deep)
        self.checked_entries = 0
        self._kept = changed_kept
        #: Keys that were changed meanwhile, those that wait longest first.
        self._changed: dict[bytes, None] = {}
        self._walked = False

    @property
    def at(self) -> CommitNumber:
        """The commit that stands."""
        return self.check.asked.number

    @property
    def left(self) -> int:
        """How much is to be looked at again, once the walk itself is over; 0 before."""
        return len(self._changed) + len(self.found.stale(self.at)) if self._walked else 0

    def begin(self, asked: Comparison) -> bool:
        """A slice begins; what changed since the one before is to be looked at again. False where that is more than is held in
        memory: all is to be looked at again. Raises ``NotFound`` where the history between is gone."""
        before = self.at
        self.check.begin(asked)
        if asked.number == before:
            return True
        for batch in asked.view.touched(min(before, asked.number), max(before, asked.number)):
            for key in batch:
                self._changed[key] = None
                self._tell(key, before)
            if len(self._changed) > 4 * self._kept:
                return False
        return True

    def _tell(self, key: bytes, before: CommitNumber) -> None:
        """The object that a key is about, or that its name stands for or stood for before, is not as it was."""
        if tag_of_key(key) == OBJECT_TAG:
            self.check.changed(object_id_of_key(key))
            return
        parent, name = parent_and_name_of_key(key)
        for at in (before, self.at):
            child = self.check.asked.view.child(parent, name, at)
            if child is not None:
                self.check.changed(child)

    def end(self) -> None:
        """A slice ends."""
        self.check.end()

    def give_up_waiting(self) -> None:
        """Files that are still being written are told and not compared."""
        self.found.changing.update(self.check.waiting)
        self.check.waiting.clear()

    def steps(self) -> Steps:
        """Compare all. It is over when nothing is left to be looked at again since the slice began."""
        self.check.root()
        last = ROOT
        yield from self._directory(ROOT, self._count)
        while True:
            after = self.check.asked.view.next_directory(last)
            self._walked = after is None
            if after is not None:
                last = after
                yield from self._directory(after, self._count)
                yield from self._changed_ones(self._kept)
                yield False
            elif self._changed:
                yield from self._changed_ones(0)
            elif self.check.waiting:
                yield from self._waiting_ones()
            elif stale := self.found.stale(self.at):
                yield from self._found_before(stale)
            else:
                return

    def _count(self) -> None:
        self.checked_entries += 1

    # -- a directory ---------------------------------------------------------------------------------------------------

    def _directory(self, id: ObjectId, count: Callable[[], None]) -> Steps:
        """Compare the entries of a directory that stands on both sides."""
        path = self._path(id)
        if path is None or not self._stands(id):
            return
        try:
            fd = self.check.dirs.fd(id)
            with Listing(fd, self.check.asked.output.scratch) as listing:
                for _ in listing.gather():
                    yield False
                yield from self._entries(id, path, listing.names(), count)
        except OSError as error:
            self.check.differs((id, b""), path, f"unreadable: {error.strerror}", id)

    def _entries(self, id: ObjectId, path: bytes, standing: Iterator[bytes], count: Callable[[], None]) -> Steps:
        """Merge what is wanted with what stood there when it was listed."""
        check, stands = self.check, next(standing, None)
        for moves, page in self._children(id):
            for name, child in page:
                while stands is not None and stands < name:
                    self._foreign(id, path, stands)
                    stands = next(standing, None)
                if stands == name:
                    stands = next(standing, None)
                now = child if moves == check.moves else self._now(id, name)
                if now is not None:
                    count()
                    if (content := check.entry(id, name, now, _join(path, name))) is not None:
                        yield from content
                yield False
        while stands is not None:
            self._foreign(id, path, stands)
            stands = next(standing, None)
            yield False

    def _children(self, id: ObjectId) -> Iterator[tuple[int, list[tuple[bytes, ObjectId]]]]:
        """Pages of the names that are wanted, each with the count of moves for which it holds."""
        after = b""
        while page := self.check.asked.view.children(id, self.at, after, _PAGE):
            yield self.check.moves, page
            after = page[-1][0]

    def _childless(self, id: ObjectId) -> Steps:
        """The inside of a directory that should be empty: only those that hold something are come to by their ids."""
        if not self.check.asked.view.children(id, self.at, limit=1):
            yield from self._directory(id, self._count)

    def _foreign(self, parent: ObjectId, path: bytes, name: bytes) -> None:
        """Something stands, or stood, where nothing is wanted, or was."""
        if parent == ROOT and name in (PRIVATE_DIR, LOST_AND_FOUND):
            return
        fd = self.check.dirs.fd(parent)
        if self._now(parent, name) is not None or not _exists(fd, name):
            return
        if not self._is_untouched(fd, _join(path, name), name):
            self.check.differs((parent, name), _join(path, name), "foreign")

    def _is_untouched(self, fd: int, path: bytes, name: bytes) -> bool:
        """Whether an entry is not ours to judge, or a directory that holds such."""
        left_out, directory = self.check.asked.left_out, is_directory(fd, name)
        if left_out(path, directory) or is_mounted(fd, name):
            return True
        return directory and first_untouched(fd, name, path, left_out) is not None

    def _stands(self, id: ObjectId) -> bool:
        """Whether a directory that is wanted stands as one; if not, that is told of its entry."""
        if id == ROOT:
            return True
        view = self.check.asked.view
        raw, names = view.object(id, self.at), view.names_of(id, self.at)
        if raw is None or not names or decode_object(raw).kind != stat.S_IFDIR:
            return False
        parent, name = names[0]
        try:
            fd = self.check.dirs.fd(parent)
            return is_directory(fd, name) and not is_mounted(fd, name)
        except OSError:
            return False

    # -- what is looked at again ---------------------------------------------------------------------------------------

    def _changed_ones(self, most: int) -> Steps:
        """Look at keys that changed meanwhile, until at most so many are left."""
        while len(self._changed) > most:
            key = next(iter(self._changed))
            del self._changed[key]
            if tag_of_key(key) == OBJECT_TAG:
                yield from self._object(object_id_of_key(key))
            else:
                yield from self._place(*parent_and_name_of_key(key))

    def _waiting_ones(self) -> Steps:
        """Look at files that were still being written, as far as they are whole by now."""
        for id in list(self.check.waiting):
            if id in self.check.asked.late:
                continue
            del self.check.waiting[id]
            yield from self._object(id)
        if self.check.waiting:
            yield True

    def _found_before(self, places: list[Place]) -> Steps:
        """Look again where something differed, beside a commit that stands no more."""
        for place in places:
            self.found.forget(place)
            if place == ROOT_ITSELF:
                self.check.root()
            elif place[1]:
                yield from self._place(*place)
            else:
                yield from self._directory(place[0], _uncounted)

    def _object(self, id: ObjectId) -> Steps:
        if id == ROOT:
            self.check.root()
        for parent, name in self.check.asked.view.names_of(id, self.at):
            self._changed.pop(name_key(parent, name), None)
            yield from self._place(parent, name)

    def _place(self, parent: ObjectId, name: bytes) -> Steps:
        self.found.forget((parent, name))
        path = self._path(parent)
        if path is not None and self._stands(parent):
            child = self._now(parent, name)
            if child is None:
                self._foreign(parent, path, name)
            elif (content := self.check.entry(parent, name, child, _join(path, name))) is not None:
                yield from content
        yield False

    # -- the catalog now -----------------------------------------------------------------------------------------------

    def _now(self, parent: ObjectId, name: bytes) -> ObjectId | None:
        return self.check.asked.view.child(parent, name, self.at)

    def _path(self, id: ObjectId) -> bytes | None:
        return self.check.asked.view.path_of(id, self.at)


def _uncounted() -> None:
    """The entries were counted before."""


def _exists(fd: int, name: bytes) -> bool:
    """Whether an entry stands; what is mounted there is asked nothing."""
    try:
        handle_of(fd, name)
    except FileNotFoundError:
        return False
    return True


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
