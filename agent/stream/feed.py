"""The way from the pump to the peers: live commits, to every peer that is attached."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agent.capture.outlet import ReadChunk
from agent.core.commit import Changes, Commit
from agent.core.ids import ObjectId

QUEUE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LiveContent:
    """Chunks of a large file, ahead of the commit that names them."""

    token: int
    chunks: Sequence[ReadChunk]
    size: int


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A commit as capture gave it. ``uncovered``: large files whose content did not all pass through this queue."""

    commit: Commit
    changes: Changes
    chunks: Sequence[ReadChunk]
    uncovered: tuple[ObjectId, ...]
    size: int


LiveItem: TypeAlias = LiveContent | LiveCommit


class PeerQueue:
    """What one peer still has to be sent, at most ``limit`` bytes. Made by :meth:`Feed.attach`; taken from by one
    sender.

    ``overflowed``: the peer could not follow; the queue is empty and detached, and the peer must catch up.
    ``streaming``: set by the sender once the peer has caught up; only then does bulk capture wait for it."""

    def __init__(self, peer: str, limit: int, first_token: int, wake: Callable[[], None], room: Callable[[], None]):
        self.peer = peer
        self.overflowed = False
        self.streaming = False
        self._limit = limit
        self._first_token = first_token
        self._wake = wake
        self._room = room
        self._lock = threading.Lock()
        self._items: deque[LiveItem] = deque()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def has_room(self) -> bool:
        """Whether bulk data may come: a live burst must still fit behind it."""
        return self._bytes <= self._limit // 2

    def __bool__(self) -> bool:
        return bool(self._items)

    def take(self, limit: int) -> list[LiveItem]:
        """The oldest items, about ``limit`` bytes and at least one if any; never blocks."""
        taken: list[LiveItem] = []
        size = 0
        with self._lock:
            while self._items and (not taken or size + self._items[0].size <= limit):
                item = self._items.popleft()
                size += item.size
                taken.append(item)
            self._bytes -= size
        if taken:
            self._room()
        return taken

    def covers(self, token: int) -> bool:
        """Whether all content of ``token`` passed through this queue."""
        return token >= self._first_token

    def put(self, item: LiveItem) -> bool:
        """Add, by the feed only. False when it overflowed, which ends this queue."""
        with self._lock:
            if self._bytes + item.size > self._limit and self._items:
                self.overflowed = True
                self._items.clear()
                self._bytes = 0
            else:
                self._items.append(item)
                self._bytes += item.size
        self._wake()
        return not self.overflowed


class Feed:
    """Fans live commits out to the attached queues; the ``Outlet`` of one dataset's pump. Never blocks for a peer.

    ``stands_still``: whether nothing may be sent to a peer now; capture does not wait for the hours in which it may."""

    def __init__(self, limit: int = QUEUE_BYTES, stands_still: Callable[[str], bool] = lambda _: False) -> None:
        self._limit = limit
        self._stands_still = stands_still
        self._condition = threading.Condition()
        self._queues: list[PeerQueue] = []
        self._last_token = -1

    def attach(self, peer: str, wake: Callable[[], None]) -> PeerQueue:
        """A queue that gets everything given from now on. ``wake`` is called after each item, without locks; it must
        not block.

        A commit that was durable in the catalog before may still come; one that was not, will."""
        with self._condition:
            queue = PeerQueue(peer, self._limit, self._last_token + 1, wake, self._made_room)
            self._queues.append(queue)
            return queue

    def detach(self, queue: PeerQueue) -> None:
        """Nothing more for this queue. Detached ones are no error."""
        with self._condition:
            if queue in self._queues:
                self._queues.remove(queue)
            self._condition.notify_all()

    def has_room(self, timeout: float) -> bool:
        """True when no streaming peer is attached that may be sent to, or at least one has room; waits up to ``timeout``
        seconds."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while not self._any_room():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(left)
            return True

    def content(self, token: int, chunks: Sequence[ReadChunk]) -> None:
        """See ``capture.outlet.Outlet``."""
        self._last_token = token
        if self._queues:
            item = LiveContent(token, chunks, sum(len(chunk.data) for chunk in chunks))
            self._give([(queue, item) for queue in self._attached()])

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        """See ``capture.outlet.Outlet``."""
        queues = self._attached()
        if not queues:
            return
        size = sum(map(len, changes.puts)) + sum(map(len, changes.drops)) + sum(len(chunk.data) for chunk in chunks)
        pairs: list[tuple[PeerQueue, LiveItem]] = []
        for queue in queues:
            uncovered = tuple(object_id for token, object_id in ahead if not queue.covers(token))
            pairs.append((queue, LiveCommit(commit, changes, chunks, uncovered, size)))
        self._give(pairs)

    def _attached(self) -> list[PeerQueue]:
        with self._condition:
            return list(self._queues)

    def _give(self, pairs: Sequence[tuple[PeerQueue, LiveItem]]) -> None:
        for queue, item in pairs:
            if not queue.put(item):
                self.detach(queue)

    def _any_room(self) -> bool:
        streaming = [queue for queue in self._queues if queue.streaming]
        if any(queue.has_room for queue in streaming):
            return True
        return all(self._stands_still(queue.peer) for queue in streaming)

    def _made_room(self) -> None:
        with self._condition:
            self._condition.notify_all()
