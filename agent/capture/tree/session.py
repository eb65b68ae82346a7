"""Everything that captures one opened root, put together."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agent.capture.batch import TreeBatch
from agent.capture.directories import Directories
from agent.capture.exclude import Rules
from agent.capture.files.copies import Copies
from agent.capture.files.hard_links import Linked
from agent.capture.files.large_files import LargeReads, Send
from agent.capture.files.objects import Objects
from agent.capture.files.waiting import Queues
from agent.capture.files.waiting_for_room import Later
from agent.capture.open_tree import OpenTree
from agent.capture.path_problems import PathProblems
from agent.capture.tickets import LargeQueue, Outstanding
from agent.capture.tree.census import Census, Counted
from agent.capture.tree.names import Looker
from agent.capture.tree.walk import Walk, WalkManner
from agent.chunking.stat_trust import Trust
from agent.core.clock import Clock
from agent.core.problem import ProblemBoard
from agent.fs.durable import sync_filesystem
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

_SEED = "print-seed"


class TreeSession:
    """Lives from the opening of a root until it is closed or held. Belongs to the pump's thread."""

    def __init__(
        self,
        root_fd: int,
        catalog: Catalog,
        local: Local,
        rules: Rules,
        board: ProblemBoard,
        clock: Clock,
        send: Send,
        tokens: Iterator[int],
        linked: Linked,
    ) -> None:
        self.root_fd = root_fd
        self._census: Census | None = None
        #: Walks of the whole root; and everything else that hints begin.
        self.walks = Outstanding()
        self.outstanding = Outstanding()
        self.batch = TreeBatch(catalog, local)
        self.directories = Directories(root_fd, self.batch)
        self._clock = clock
        #: On the disk of our own state, not in the tree.
        self._scratch = os.path.dirname(local.path) or None
        self.problems = PathProblems(board, clock)
        self.tree = OpenTree(self.batch, self.directories, self.problems, rules, clock)
        self.objects = Objects(self.tree, catalog, print_seed(local), linked)
        linked.opened(root_fd)
        self.copies = Copies(self.tree, linked, board)
        queues = Queues(LargeQueue(self.outstanding), Later(self.outstanding))
        self.later = queues.later
        self.looker = Looker(self.tree, self.objects, queues)
        self.large = LargeReads(self.tree, self.objects, self.looker, queues.large, send, tokens)

    def begin_census(self) -> None:
        """Count what there is, as a first sync goes on."""
        self._census = Census(self.root_fd, self.tree.rules, self.directories.remote, self._clock)

    def count(self, *, waits: bool) -> None:
        """A turn of the census, see there."""
        if self._census is not None:
            self._census.turn(waits=waits)

    @property
    def counted(self) -> Counted | None:
        """What the census counted; None while it is not through, and without one. From any thread."""
        return self._census.counted if self._census is not None else None

    def walk(self, trust: Trust, *, whole: bool = False, virgin: bool = False) -> Walk:
        """A new walk. A ``whole`` one writes everything dirty back first, so that signatures can be clean."""
        manner = WalkManner(trust, whole, virgin, self._synced() if whole else 0, self._scratch)
        return Walk(self.tree, self.objects, self.looker, manner)

    @property
    def waits(self) -> int:
        """Bytes of new files, and of what else waits for the link, that no commit has yet. From any thread."""
        return self.large.waits + self.later.bytes

    def put_off(self) -> float:
        """For how long the oldest change has waited that is known and in no commit yet, in seconds. From any thread."""
        since = [one for one in (self.large.new_since, self.later.since, self.batch.since) if one is not None]
        return max(self.large.put_off(), self._clock.monotonic() - min(since) if since else 0.0)

    def close(self) -> None:
        """Close every descriptor; the batch is forgotten."""
        if self._census is not None:
            self._census.close()
        self.large.close()
        self.directories.close()

    def _synced(self) -> int:
        begun = self._clock.now_ns()
        try:
            sync_filesystem(self.root_fd)
        except OSError:
            # Without a sync nothing is clean, so everything is read: slower, and right.
            return 0
        return begun


def print_seed(local: Local) -> int:
    """The dataset's own seed of prints: whoever does not know it cannot make two contents look equal."""
    stored = local.value(_SEED)
    if stored is None:
        stored = os.urandom(8)
        local.set_value(_SEED, stored, durable=True)
    return int.from_bytes(stored, "big")
