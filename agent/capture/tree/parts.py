"""Everything that captures one opened root, put together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from agent.capture.files.contents import FileContents
from agent.capture.files.damaged_lists import DamagedLists
from agent.capture.files.hard_links import Linked
from agent.capture.files.large_files import LargeReads
from agent.capture.files.large_queue import LargeQueue
from agent.capture.files.objects import Objects
from agent.capture.files.waiting import Queues
from agent.capture.files.waiting_for_room import Later
from agent.capture.open_tree import OpenTree
from agent.capture.outstanding import Outstanding
from agent.capture.ports import CaptureContext, Send
from agent.capture.tree.names import Looker
from agent.capture.tree.walk import Walk, WalkManner
from agent.chunking.stat_trust import Trust
from agent.chunking.window import FileReads
from agent.core.clock import Clock
from agent.fs.durable import sync_filesystem
from agent.store.local import Local
from agent.store.pieces import KeptPieces

_SEED = "print-seed"


@dataclass(frozen=True, slots=True)
class TreeParts:
    """``walks``: of the whole root; ``outstanding``: everything else that hints begin; ``scratch``: a directory on the disk of
    our own state, not in the tree. Belongs to the pump's thread."""

    tree: OpenTree
    objects: Objects
    looker: Looker
    large: LargeReads
    later: Later
    walks: Outstanding
    outstanding: Outstanding
    scratch: str | None

    def walk(self, trust: Trust, *, whole: bool = False, virgin: bool = False, waits: bool = True) -> Walk:
        """A new walk; see ``WalkManner``. A ``whole`` one writes everything dirty back first, so that signatures can be clean."""
        synced_at = _synced(self.tree.directories.root_fd, self.tree.clock) if whole else 0
        return Walk(
            self.tree, self.objects, self.looker, WalkManner(trust, whole, virgin, synced_at, self.scratch, waits)
        )


def put_together(
    tree: OpenTree,
    context: CaptureContext,
    linked: Linked,
    send: Send,
    tokens: Iterator[int],
    reads: FileReads,
    *,
    reads_all: bool = False,
) -> TreeParts:
    """The parts of one opened root. ``linked``: files with further names; ``tokens``: each large file that is read takes
    one; ``reads``: how content is read; ``reads_all``: see ``Objects``."""
    outstanding = Outstanding()
    linked.opened(tree.directories.root_fd)
    pieces = KeptPieces(context.catalog, context.vault)
    damaged = DamagedLists(tree, context.board)
    contents = FileContents(tree.batch, pieces, print_seed(context.local), reads, damaged)
    objects = Objects(tree, contents, linked, reads_all=reads_all)
    queues = Queues(LargeQueue(outstanding), Later(outstanding))
    looker = Looker(tree, objects, queues)
    large = LargeReads(tree, objects, looker, queues.large, send, tokens)
    scratch = os.path.dirname(context.local.path) or None
    return TreeParts(tree, objects, looker, large, queues.later, Outstanding(), outstanding, scratch)


def print_seed(local: Local) -> int:
    """The dataset's own seed of prints: whoever does not know it cannot make two contents look equal."""
    stored = local.value(_SEED)
    if stored is None:
        stored = os.urandom(8)
        local.set_value(_SEED, stored, durable=True)
    return int.from_bytes(stored, "big")


def _synced(root_fd: int, clock: Clock) -> int:
    begun = clock.now_ns()
    try:
        sync_filesystem(root_fd)
    except OSError:
        # Without a sync nothing is clean, so everything is read: slower, and right.
        return 0
    return begun
