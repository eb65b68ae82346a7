"""A tree, captured: what the pump drives, and what opens it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.capture.access.frozen import FrozenAccess, FrozenDirectories
from agent.capture.access.image import FrozenImage, ImageLimits, ImageReader
from agent.capture.access.in_snapshot import SnapshotAccess, SnapshotDirectories
from agent.capture.access.kept_moment import KeptMoment
from agent.capture.access.seam import FileAccess
from agent.capture.batch import BYTES, TreeBatch
from agent.capture.directories import Directories
from agent.capture.exclude import Rules
from agent.capture.files.copies import Copies
from agent.capture.files.hard_links import Linked
from agent.capture.open_tree import OpenTree
from agent.capture.outlet import Room
from agent.capture.path_problems import PathProblems
from agent.capture.ports import CaptureContext, FrozenSession, Send, SessionFacts, Settled, Turned
from agent.capture.root import RootGuard
from agent.capture.tree.census import Census
from agent.capture.tree.jobs import Background
from agent.capture.tree.parts import TreeParts, put_together
from agent.chunking.window import FileReads
from agent.core.hold import Hold
from agent.core.ids import ObjectId
from agent.core.rows import is_object, key_of, object_id_of_key
from agent.fs.handles import can_open_by_handle
from agent.fs.snapshots.subvolume import drop_left_moment
from agent.watch.hint import Hint, Look


class TreeSession:
    """The ``Session`` of one opened root: see there. ``virgin``: nothing was ever captured in this catalog; ``census``: counts
    what there is, at a first sync; ``frozen_parts`` makes those that look over an image."""

    def __init__(
        self,
        parts: TreeParts,
        guard: RootGuard,
        copies: Copies,
        frozen_parts: Callable[[OpenTree], TreeParts],
        *,
        virgin: bool,
        census: Census | None,
    ) -> None:
        self._parts = parts
        self._frozen_parts = frozen_parts
        self._guard = guard
        self._copies = copies
        self._census = census
        self._background = Background(parts, virgin)
        self.batch = parts.tree.batch
        self.walks, self.outstanding = parts.walks, parts.outstanding
        self.root_fd = parts.tree.directories.root_fd
        self.look = self._background.look
        self.hints_taken = parts.looker.hints_taken
        self.look_at_everything = self._background.whole
        self.to_try = parts.tree.problems.to_try
        self.cannot_read = parts.tree.problems.cannot_read

    @property
    def hurry(self) -> bool:
        return self._parts.large.hurry

    @hurry.setter
    def hurry(self, hurry: bool) -> None:
        self._parts.large.hurry = hurry

    def stands(self) -> bool:
        return self._guard.stands(self.root_fd)

    def hints_of(self, objects: Sequence[ObjectId]) -> list[Hint]:
        hints: list[Hint] = []
        for id in objects:
            hints += [Hint(self.batch.path(*place), Look.ENTRY) for place in self.batch.names_of(id)]
            fact = self.batch.fact(id)
            if fact is not None and fact.handle:
                hints.append(Hint(b"", Look.ENTRY, fact.handle))
        return hints

    def is_busy(self) -> bool:
        return bool(self._background)

    def turn(self) -> Turned:
        turned = self._background.turn()
        if turned.whole_ended:
            self._parts.tree.problems.healed = True
        return turned

    def count(self, *, waits: bool) -> None:
        if self._census is not None:
            self._census.turn(waits=waits)

    def link_has(self, room: Room | None) -> None:
        room = self._parts.objects.link.room = None if self._parts.later.full else room
        self.batch.most = BYTES if room is None else min(BYTES, room.moment)

    def settle_batch(self) -> Settled:
        return self._background.settle_batch()

    def batch_ended(self) -> None:
        self._background.batch_ended()

    def is_fresh(self) -> bool:
        return self.batch.is_fresh and not self._parts.tree.problems.healed

    def take_healed(self) -> bool:
        problems = self._parts.tree.problems
        healed, problems.healed = problems.healed, False
        return healed

    def rests(self, news: object) -> None:
        self._copies.tell(news)

    def let_go(self) -> None:
        """Directories that were passed keep nobody from what they hold."""
        self._parts.tree.directories.let_go()

    def longest_rest(self, longest: float) -> float:
        return self._parts.large.rest(longest)

    def facts(self) -> SessionFacts:
        large = self._parts.large
        walk = self._background.whole_walk()
        return SessionFacts(
            goes_over=(walk.entries, walk.bytes) if walk is not None else None,
            has_whole=self._background.has_whole(),
            counted=self._census.counted if self._census is not None else None,
            reading=large.progress(),
            large_waiting=large.waiting,
            put_off=self._put_off(),
            waits=large.waits + self._parts.later.bytes,
            ahead=large.ahead,
        )

    def waiting(self, most: int) -> list[tuple[ObjectId, bytes, int]]:
        found = (*self._parts.large.waiting_names(most), *self._parts.later.waiting_names(most))
        return [(*name, size) for name, size in found[:most]]

    def reader(self, memory: memoryview, since: int, limits: ImageLimits) -> ImageReader:
        return ImageReader(self.root_fd, self._parts.tree.rules, memory, since, limits)

    def over(self, image: FrozenImage) -> FrozenSession:
        live, access = self._parts.tree, FrozenAccess(image)
        session = self._looking(FrozenDirectories(image, live.directories, live.batch), access)
        return FrozenSession(session, lambda: access.missed)

    def over_snapshot(self, kept: KeptMoment, most: int) -> FrozenSession:
        live, access = self._parts.tree, SnapshotAccess(kept, most)
        session = self._looking(SnapshotDirectories(kept, live.directories, live.batch, access), access)
        return FrozenSession(session, lambda: access.missed)

    def _looking(self, directories: Directories, access: FileAccess) -> TreeSession:
        """A session into the same batch that gets at the tree in another way."""
        parts = self._frozen_parts(replace(self._parts.tree, directories=directories, access=access))
        return TreeSession(parts, self._guard, self._copies, self._frozen_parts, virgin=False, census=None)

    def close(self) -> None:
        if self._census is not None:
            self._census.close()
        self._parts.large.close()
        self._parts.tree.directories.close()

    def _put_off(self) -> float:
        """For how long the oldest change has waited that is known and in no commit yet, in seconds. From any thread."""
        parts = self._parts
        since = [one for one in (parts.large.new_since, parts.later.since, self.batch.since) if one is not None]
        return max(parts.large.put_off(), parts.tree.clock.monotonic() - min(since) if since else 0.0)


class TreeSessions:
    """Opens the root at ``path``. ``linked``: files with further names, what the watcher asks about changes outside the root;
    ``can_locate``: whether an object of the filesystem of a descriptor can be asked where it is;
    ``reads``: how content is read."""

    def __init__(
        self,
        context: CaptureContext,
        path: str,
        rules: Rules,
        linked: Linked,
        can_locate: Callable[[int], bool] = can_open_by_handle,
        reads: FileReads = os,
    ) -> None:
        self._context = context
        self._rules = rules
        self._linked = linked
        self._can_locate = can_locate
        self._reads = reads
        self._root = os.fsencode(path)
        self._guard = RootGuard(path, context.local, context.dataset)
        #: They rise as long as the pump lives: its peers hold what was sent under one.
        self._tokens = itertools.count(1)

    def open(self, send: Send, *, is_first: bool) -> TreeSession | Hold:
        """A session of what stands at the path, or why there is none."""
        root_fd = self._guard.open()
        if isinstance(root_fd, Hold):
            return root_fd
        drop_left_moment(root_fd)
        context = self._context
        batch = TreeBatch(context.catalog, context.local)
        directories = Directories(root_fd, batch, self._can_locate)
        problems = PathProblems(context.board, context.clock, batch.knows, self._root)
        tree = OpenTree(batch, directories, problems, self._rules, context.clock)
        parts = put_together(tree, context, self._linked, send, self._tokens, self._reads)

        def frozen_parts(tree: OpenTree) -> TreeParts:
            return put_together(tree, context, self._linked, send, self._tokens, self._reads, reads_all=True)

        copies = Copies(tree, self._linked, context.board)
        census = Census(root_fd, self._rules, directories.remote, context.clock) if is_first else None
        virgin = context.catalog.created and context.catalog.newest() is None
        return TreeSession(parts, self._guard, copies, frozen_parts, virgin=virgin, census=census)

    def accept(self) -> None:
        """What stands at the path is the root from now on. On another filesystem no handle means what it meant: where an object
        stands decides which one it is."""
        try:
            if self._guard.accept():
                self._forget_facts()
        except OSError:
            return

    def _forget_facts(self) -> None:
        for rows in self._context.catalog.rows_at():
            self._context.local.write([], [object_id_of_key(key_of(row)) for row in rows if is_object(row)])
