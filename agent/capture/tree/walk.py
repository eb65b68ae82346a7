"""Reconcile: everything below a directory, compared with the catalog, in bounded memory and at any depth."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from stat import S_ISREG
from typing import TypeVar

from agent.capture.batch import Name
from agent.capture.files.objects import Objects
from agent.capture.files.unchanged import KnownEntries, Skimmer
from agent.capture.open_tree import Entry, OpenTree
from agent.capture.tree.names import Looker
from agent.capture.tree.trail import Purpose, Trail
from agent.chunking.reader import SMALL
from agent.chunking.stat_trust import Trust
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR
from agent.store.local import Signature

T = TypeVar("T")

#: A step ends with True when it can go no further now: let others run.
Turns = Generator[bool, None, None]

#: Takes a directory that was met, and whether it is new.
Below = Callable[[ObjectId, bool], None]

#: So many large files may wait to be read before the walk waits for them.
_LARGE_WAITING = 16
#: So many entries are gone over between two steps, and so many new ones read.
_AT_ONCE = 128
_READ_AT_ONCE = 16
#: So many directories are remembered as gone over.
_PASSED = 100_000
_MOVED = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP, errno.EXDEV)


@dataclass(frozen=True, slots=True)
class WalkManner:
    """How a walk goes. ``trust``: what it needs to see before it believes that an object did not change; ``whole``: of the whole
    root; ``virgin``: nothing was ever captured here before, so new entries need not be looked up; ``synced_at``: see ``Entry``;
    ``scratch``: see ``Listing``; ``waits``: while many large files are to be read, which others do between its steps."""

    trust: Trust
    whole: bool = False
    virgin: bool = False
    synced_at: int = 0
    scratch: str | None = None
    waits: bool = True


class Walk:
    """One walk. ``run`` does it; between its steps the batch may be committed and hints looked at.

    Only ids of directories are remembered, so what is renamed meanwhile is found under its new name. ``entries`` and
    ``bytes`` count what was gone over. What its looks leave to others stands in ``trail``, for whoever runs it."""

    def __init__(self, tree: OpenTree, objects: Objects, looker: Looker, manner: WalkManner) -> None:
        self.entries = 0
        self.bytes = 0
        self._looker = looker
        self._batch = tree.batch
        self._directories = tree.directories
        self._objects = objects
        self._rules = tree.rules
        self._problems = tree.problems
        self._access = tree.access
        self._manner = manner
        self._skimmer = Skimmer(tree, objects.linked, manner.trust)
        self._stack: list[ObjectId] = []
        self._postponed: list[ObjectId] = []
        #: Directories that were gone over. They may be asked for by themselves and be met below others that are.
        self._passed: set[ObjectId] = set()
        self._revived = looker.departures.revived
        #: Without the privilege to ask objects where they are, a removal may be half of a move: it waits for the end.
        self._missing: dict[Name, ObjectId] | None = {} if manner.whole and not tree.directories.can_locate else None
        self.trail = Trail(Purpose(synced_at=manner.synced_at, missing=self._missing, read_once={}))

    def add(self, directory: ObjectId) -> None:
        """Walk below this one too, also if that was done before."""
        self._passed.discard(directory)
        self._stack.append(directory)

    def run(self) -> Turns:
        """Go over everything below the directories that were added.

        On entry nothing was gone over. Between steps the rows so far form a valid tree, and more directories may be added. On
        exit all below them is in the batch or in commits, or was left to others in ``trail``; of a ``whole`` walk also what had
        to wait for its end: removals, and problems of paths that nobody met again."""
        yield from self._below(self._postponed)
        again, self._postponed = self._postponed, []
        self._stack += again
        yield from self._below([])
        if self._manner.whole:
            yield from self._finish()

    def _below(self, postponed: list[ObjectId]) -> Turns:
        while self._stack:
            directory = self._stack.pop()
            if not self._is_passed(directory):
                yield from self._visit_and_collect(directory, postponed)

    def _finish(self) -> Turns:
        """On entry every directory was gone over. On exit removals that waited were looked at, and no path has a problem that is
        not there any more."""
        waiting, self._missing = self._missing or {}, None
        self.trail.purpose = replace(self.trail.purpose, missing=None)
        for parent, name in waiting:
            yield from self._each(self._looker.entry(self.trail, parent, name))
        for path in self._problems.paths():
            if path and (yield from self._each(self._looker.examine(self.trail, path))) is None:
                self._problems.gone(path)

    def _visit_and_collect(self, directory: ObjectId, postponed: list[ObjectId]) -> Turns:
        below: list[ObjectId] = []
        try:
            yield from self.visit(directory, lambda id, _: below.append(id))
        except OSError as error:
            self._not_listed(directory, error, postponed)
        else:
            self._directories.unlistable.discard(directory)
            self._remember(directory)
        # Reversed, so that they come off the stack in order.
        self._stack += reversed(below)

    def _is_passed(self, directory: ObjectId) -> bool:
        """Whether it was gone over, and nothing of it was dropped since."""
        revived = self._looker.departures.revived
        if revived != self._revived:
            self._revived = revived
            self._passed.clear()
        return directory in self._passed

    def _remember(self, directory: ObjectId) -> None:
        if len(self._passed) >= _PASSED:
            self._passed.clear()
        self._passed.add(directory)

    def _not_listed(self, directory: ObjectId, error: OSError, postponed: list[ObjectId]) -> None:
        path = self._batch.path_of(directory)
        if path is None:
            return
        # Whoever looks at it next has it walked: a hint that leads there tells of its entry alone.
        self._directories.unlistable.add(directory)
        if error.errno in _MOVED:
            postponed.append(directory)
            if path:
                self._looker.retries.give_back(self.trail, path, error)
        else:
            self._problems.unreadable(path, error)

    def visit(self, directory: ObjectId, below: Below) -> Turns:
        """Every entry of one directory; directories among them are given to ``below``. OSError when it cannot be listed."""
        with self._access.listing(self._directories.fd(directory), self._manner.scratch) as listing:
            for _ in listing.gather():
                yield False
            known = KnownEntries(self._batch, directory)
            virgin = known.head() is None and self._manner.virgin and not self._rules
            alone_since = self._looker.moved.serial if virgin else None
            for names in listing.pages():
                if directory == ROOT and PRIVATE_DIR in names:
                    names.remove(PRIVATE_DIR)
                yield from self._compare(directory, names, known, below, alone_since)
            while (head := known.head()) is not None:
                known.at += 1
                yield from self._entry(directory, head, below)

    def _compare(
        self, directory: ObjectId, names: list[bytes], known: KnownEntries, below: Below, alone_since: int | None
    ) -> Turns:
        """Some of a directory's names, beside what the catalog has up to the last of them.

        ``alone_since``: when (by the serial of hints) the catalog had nothing in it, and nothing can be known of its entries."""
        at = 0
        while at < len(names):
            head = known.head()
            if head is not None and head < names[at]:
                known.at += 1
                yield from self._entry(directory, head, below)
                continue
            yield False
            self._directories.remote.look()
            fd, done = self._directories.fd(directory), 0
            if head == names[at]:
                done, size = self._skimmer.skim(directory, fd, names[at : at + _AT_ONCE], known, below)
                self.bytes += size
            elif alone_since == self._looker.moved.serial:
                done = self._take(directory, fd, names[at : at + _READ_AT_ONCE])
            at += done
            self.entries += done
            if not done:
                yield from self._unusual(directory, fd, names[at], known, below)
                at += 1
                self.entries += 1

    def _take(self, directory: ObjectId, fd: int, names: list[bytes]) -> int:
        """How many of them, from the first on, were plain new files and are captured."""
        done, take = 0, self._objects.fresh.take
        for name in names:
            size = take(directory, fd, name, self._manner.synced_at)
            if size is None:
                break
            self.bytes += size
            done += 1
        return done

    def _unusual(self, directory: ObjectId, fd: int, name: bytes, known: KnownEntries, below: Below) -> Turns:
        """An entry that is not just as the catalog has it, or that it does not have."""
        if known.head() == name:
            id = known.page[known.at][1]
            known.at += 1
            if self._reads_again(directory, fd, name, id, known.signatures.get(id)):
                return
        yield from self._entry(directory, name, below)

    def _reads_again(self, directory: ObjectId, fd: int, name: bytes, id: ObjectId, known: Signature | None) -> bool:
        """Read a small file that is where the catalog has it, which spares asking who it is; False when it is another one."""
        if name in self._directories.remote.names:
            return False
        try:
            st = self._access.stat(name, dir_fd=fd, follow_symlinks=False)
            if known is None or not S_ISREG(st.st_mode) or st.st_size > SMALL or st.st_ino != known[2]:
                return False
            if self._rules and self._rules.excluded(self._batch.path(directory, name), is_dir=False):
                return False
            handle = self._access.handle_of(fd, name)
        except OSError:
            return False
        if handle != known[1] or self._batch.child(directory, name) != id:
            return False
        before = self._objects.bytes_read
        self._looker.arrivals.capture(self.trail, id, Entry(directory, name, st, handle, id, self._manner.synced_at))
        self.bytes += self._objects.bytes_read - before
        return True

    def _entry(self, directory: ObjectId, name: bytes, below: Below) -> Turns:
        """Whatever is not simply as it was or simply new."""
        yield from self._each(self._looker.entry(self.trail, directory, name))
        appeared = self.trail.take_appeared()
        id = self._batch.child(directory, name)
        if id is not None and self._batch.is_directory(id) and not self._looker.entries.is_mount(id):
            below(id, id in appeared)
        for new in appeared:
            if new != id:
                below(new, True)
        while self._manner.waits and self._looker.large_waiting > _LARGE_WAITING:
            yield True

    def _each(self, steps: Generator[None, None, T]) -> Generator[bool, None, T]:
        """Run a look and what follows from it as a part of this walk."""
        found = yield from self._counted(steps)
        yield from self._counted(self._looker.follow_up(self.trail))
        return found

    def _counted(self, steps: Generator[None, None, T]) -> Generator[bool, None, T]:
        """A look's steps, with the bytes that they read."""
        while True:
            before = self._objects.bytes_read
            try:
                next(steps)
            except StopIteration as end:
                found: T = end.value
                return found
            finally:
                self.bytes += self._objects.bytes_read - before
            yield False
