"""The way from the pump to the peers: live commits, to every peer that is attached."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TypeAlias

from agent.capture.outlet import ReadChunk, Room
from agent.core.commit import Changes, Commit
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.store.spool import Spool
from agent.stream.sending.passed import PassedChunks

QUEUE_BYTES = 64 << 20
#: So long bulk capture waits for the first calls: a handshake over a long way takes a third of it.
FIRST_CALLS = 1.0


@dataclass(frozen=True, slots=True)
class LiveContent:
    """Chunks of a large file, ahead of the commit that names them. ``is_new``: of a file that no commit has yet, and all of it
    passes through this queue. ``again``: so many of its ``size`` bytes went through it before, see ``PassedChunks``."""

    token: int
    chunks: Sequence[ReadChunk]
    size: int
    is_new: bool = False
    again: int = 0

    @property
    def lacking(self) -> int:
        """Bytes that the peer may lack."""
        return self.size - self.again


@dataclass(frozen=True, slots=True)
class LiveCommit:
    """A commit as capture gave it. ``uncovered``: large files whose content did not all pass through this queue; ``after``: the
    last token whose content it names, -1 for none."""

    commit: Commit
    changes: Changes
    chunks: Sequence[ReadChunk]
    uncovered: tuple[ObjectId, ...]
    size: int
    after: int = -1

    @property
    def lacking(self) -> int:
        """Bytes that the peer may lack."""
        return self.size


LiveItem: TypeAlias = LiveContent | LiveCommit


class PeerQueue:
    """What one peer still has to be sent, at most ``limit`` bytes. Made by :meth:`Feed.attach`; taken from by one
    sender.

    ``overflowed``: the peer could not follow; the queue is empty and detached, and the peer must catch up.
    ``streaming``: set by the sender once the peer has caught up; only then does bulk capture wait for it.
    ``bulk``: so many bytes may wait before bulk capture waits: a live burst must still fit behind them, and not wait long.
    ``moment``: bytes that the link carries in half a second, None on a fast one; ``is_measured``: it is no guess.
    ``unsaid``: bytes that were taken and have not gone out, up to the end of the last commit among them.
    ``spool``: chunks go there instead, and rows nowhere: the sender reads them from the catalog."""

    def __init__(
        self,
        peer: str,
        limit: int,
        first_token: int,
        wake: Callable[[], None],
        room: Callable[[], None],
        ahead: Callable[[], Mapping[int, int]],
        unsaid: Callable[[], int],
        spool: Spool | None = None,
    ) -> None:
        self.peer = peer
        self.overflowed = False
        self.streaming = False
        self.bulk = self.bulk_most = limit // 2
        self.moment: int | None = None
        self.is_measured = True
        self._spool = spool
        self._limit = limit
        self._first_token = first_token
        self.wake = wake
        self._room = room
        self._ahead = ahead
        self._unsaid = unsaid
        #: By token, bytes that do not go out by this queue, of content that no commit had when they were given; which commit has
        #: it since; and the newest commit that counts in another way.
        self._missed = dict(ahead())
        self._named: dict[int, CommitNumber] = {}
        self._settled = NOTHING
        self._lock = threading.Lock()
        self._commits: deque[LiveCommit] = deque()
        self._contents: deque[LiveContent] = deque()
        #: Of all that waits, and of the commits alone.
        self._bytes = self._commit_bytes = 0
        #: Of all that waits, what went through this queue before.
        self._again = 0
        self._passed = PassedChunks()
        #: The newest token that was put, and the newest that :meth:`follows` says no of.
        self._last_token = self._whole_until = first_token - 1

    @property
    def bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def lacking(self) -> int:
        """Of these, what the peer may lack."""
        with self._lock:
            return self._bytes - self._again

    @property
    def before_a_commit(self) -> int:
        """Bytes that have to go out before a commit that is put now can; content of a file that no commit names has not."""
        with self._lock:
            last = self._commits[-1].after if self._commits else -1
            named = takewhile(lambda one: one.token <= last, self._contents)
            waits = self._commit_bytes + sum(one.size for one in named)
        return waits + self._unsaid()

    @property
    def missed(self) -> int:
        """Bytes of large files that do not go out by this queue, and that no commit has up to where it is :meth:`settled`."""
        with self._lock:
            return sum(self._missed.values())

    def settled(self, upto: CommitNumber) -> None:
        """What commits have up to this one counts in another way from now on."""
        with self._lock:
            self._settled = max(self._settled, upto)
            self._forget([token for token, number in self._named.items() if number <= upto])

    def named(self, tokens: Set[int], number: CommitNumber) -> None:
        """A commit has all content of these; by the feed only."""
        with self._lock:
            self._named.update((token, number) for token in tokens if token in self._missed)
            if number <= self._settled:
                self._forget(tokens)

    def never_comes(self, tokens: Set[int]) -> None:
        """Content of these was given up; by the feed only."""
        with self._lock:
            self._forget(tokens)
            self._passed.given_up(tokens)

    def dropped(self, items: Sequence[LiveItem]) -> None:
        """These were taken, and do not go out. What a commit has already is that commit's matter."""
        with self._lock:
            # Of what is to come again nobody knows any more whether it went.
            self._passed, self._again = PassedChunks(), 0
            self._contents = deque(replace(one, again=0) if one.again else one for one in self._contents)
            for item in items:
                self._miss(item)

    def _miss(self, item: LiveItem) -> None:
        if isinstance(item, LiveContent) and item.token in self._ahead():
            self._missed[item.token] = self._missed.get(item.token, 0) + item.size

    def _forget(self, tokens: Iterable[int]) -> None:
        for token in tokens:
            self._missed.pop(token, None)
            self._named.pop(token, None)

    @property
    def has_room(self) -> bool:
        """Whether bulk data may come."""
        return self._bytes <= self.bulk

    def __bool__(self) -> bool:
        return bool(self._commits or self._contents)

    @property
    def has_commit(self) -> bool:
        """Whether the next item is a commit."""
        with self._lock:
            return self._next() is self._commits

    def take(self, limit: int) -> list[LiveItem]:
        """The next items, about ``limit`` bytes and at least one if any; never blocks. Commits come in order, and before content
        that they do not name: a small edit does not wait for a large file, but for a part of about ``limit``."""
        taken: list[LiveItem] = []
        size = 0
        with self._lock:
            while (lane := self._next()) and (not taken or size + lane[0].size <= limit):
                item = lane.popleft()
                if isinstance(item, LiveCommit):
                    self._commit_bytes -= item.size
                else:
                    self._again -= item.again
                    item, rest = self._parted(item, limit)
                    if rest is not None:
                        self._again += rest.again
                        self._contents.appendleft(rest)
                size += item.size
                taken.append(item)
            self._bytes -= size
        if taken:
            self._room()
        return taken

    def covers(self, token: int) -> bool:
        """Whether all content of ``token`` passed through this queue."""
        return token >= self._first_token

    def passed_over(self) -> None:
        """The peer is brought to a commit that was there before this was called, past others: of what was put until now nobody
        knows whether it has the version before. By the sender only. Content is put before its commit is there."""
        self._whole_until = self._last_token

    def follows(self, token: int) -> bool:
        """Whether all content of ``token`` passed through this queue, and its peer has the version before."""
        return token > self._whole_until

    def put(self, item: LiveItem) -> bool:
        """Add, by the feed only. False when it overflowed, which ends this queue."""
        with self._lock:
            if self.overflowed:
                return False
            if self._spool is not None:
                # A round sends what the rows of its commit name, and of a file that no commit has nothing.
                self._miss(item)
                self.overflowed = not _kept(self._spool, item)
            elif self._bytes + item.size > self._limit and self:
                self._end()
            else:
                self._append(item)
        self.wake()
        return not self.overflowed

    def give_up(self) -> None:
        """Take nothing more, and let go of what waits: the peer is to catch up by other ways."""
        with self._lock:
            self._end()

    def _next(self) -> deque[LiveCommit] | deque[LiveContent] | None:
        """Which lane goes on: content only where no commit can."""
        if self._commits and not (self._contents and self._contents[0].token <= self._commits[0].after):
            return self._commits
        return self._contents or None

    def _append(self, item: LiveItem) -> None:
        if isinstance(item, LiveCommit):
            self._commits.append(item)
            self._commit_bytes += item.size
        else:
            self._last_token = max(self._last_token, item.token)
            item = self._counted(item)
            self._passed.put(item.token, item.chunks)
            self._again += item.again
            self._contents.append(item)
        self._bytes += item.size

    def _counted(self, item: LiveContent) -> LiveContent:
        again = self._passed.again(item.chunks)
        return replace(item, again=again) if again else item

    def _parted(self, item: LiveContent, size: int) -> tuple[LiveContent, LiveContent | None]:
        """About ``size`` bytes of it, a chunk at least, and the rest."""
        held = 0
        for at, chunk in enumerate(item.chunks, 1):
            held += len(chunk.data)
            if held >= size and at < len(item.chunks):
                first, rest = item.chunks[:at], item.chunks[at:]
                # As it was counted when it was put: its own names may be among those given up by now.
                again = min(item.again, self._passed.again(first)) if item.again else 0
                left = min(item.again - again, item.size - held)
                return (
                    LiveContent(item.token, first, held, item.is_new, again),
                    LiveContent(item.token, rest, item.size - held, item.is_new, left),
                )
        return item, None

    def _end(self) -> None:
        self.overflowed = True
        self._commits.clear()
        self._contents.clear()
        self._bytes = self._commit_bytes = self._again = 0


def _kept(spool: Spool, item: LiveItem) -> bool:
    """Whether the chunks are in the spool. A disk that fails there is the slow peer's trouble, and never capture's."""
    try:
        return spool.add((chunk.name, chunk.kind, chunk.data) for chunk in item.chunks)
    except HikaeError:
        return False


class Feed:
    """Fans live commits out to the attached queues; the ``Outlet`` of one dataset's pump. Never blocks for a peer.

    ``stands_still``: whether nothing may be sent to a peer now; capture does not wait for the hours in which it may."""

    def __init__(self, stands_still: Callable[[str], bool], limit: int = QUEUE_BYTES) -> None:
        self._limit = limit
        self._stands_still = stands_still
        self._condition = threading.Condition()
        self._queues: list[PeerQueue] = []
        self._last_token = -1
        #: Bytes given since the start, whoever is attached; and the newest commit whose bytes are counted in that.
        self.given = 0
        self.newest: Commit | None = None
        #: By token, bytes of large files that no commit has yet; replaced as a whole.
        self._ahead: Mapping[int, int] = {}
        #: Rises whenever something that could not be read may be readable.
        self.looks = 0
        #: Peers whose first call goes out and has come to nothing yet, and until when that is waited for.
        self._called: set[str] = set()
        self._called_until = 0.0

    def calls(self, peers: Iterable[str]) -> None:
        """The first calls to these go out. What is captured in bulk before a peer is attached has to be read for it once more: so
        bulk capture waits, :data:`FIRST_CALLS` at most."""
        with self._condition:
            self._called, self._called_until = set(peers), time.monotonic() + FIRST_CALLS

    def called(self, peer: str) -> None:
        """The call to this one has come to something, or ended."""
        with self._condition:
            self._called.discard(peer)
            self._condition.notify_all()

    def attach(
        self, peer: str, wake: Callable[[], None], unsaid: Callable[[], int], spool: Spool | None = None
    ) -> PeerQueue:
        """A queue that gets everything given from now on; with ``spool``, chunks go there. ``wake`` is called after each item,
        without locks; it must not block. ``unsaid``: see ``PeerQueue``; by any thread, without locks.

        A commit that was durable in the catalog before may still come; one that was not, will."""
        with self._condition:
            first = self._last_token + 1
            queue = PeerQueue(peer, self._limit, first, wake, self._made_room, lambda: self._ahead, unsaid, spool)
            self._queues.append(queue)
            self._called.discard(peer)
            self._condition.notify_all()
            return queue

    def detach(self, queue: PeerQueue) -> None:
        """Nothing more for this queue. Detached ones are no error."""
        with self._condition:
            if queue in self._queues:
                self._queues.remove(queue)
            self._condition.notify_all()

    def has_room(self, timeout: float) -> bool:
        """True when no streaming peer is attached that may be sent to, or at least one has room, and none is called for the first
        time; waits up to ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._condition:
            while not self._any_room():
                now = time.monotonic()
                if now >= deadline:
                    return False
                self._condition.wait(min(deadline, self._called_until if self._called_until > now else deadline) - now)
            return True

    def room(self) -> Room | None:
        """See ``capture.outlet.Outlet``."""
        with self._condition:
            streaming = [queue for queue in self._queues if queue.streaming]
        slow = [(queue.moment, queue) for queue in streaming if queue.moment is not None]
        rooms = (Room(moment, moment - queue.before_a_commit, queue.is_measured) for moment, queue in slow)
        return min(rooms, default=None)

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        """See ``capture.outlet.Outlet``."""
        self._last_token = token
        size = sum(len(chunk.data) for chunk in chunks)
        self.given += size
        self._ahead = {**self._ahead, token: self._ahead.get(token, 0) + size}
        whole, end = (LiveContent(token, chunks, size, is_whole) for is_whole in (is_new, False))
        self._give([(queue, whole if queue.covers(token) else end) for queue in self._attached()])

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        """See ``capture.outlet.Outlet``."""
        size = sum(map(len, changes.puts)) + sum(map(len, changes.drops)) + sum(len(chunk.data) for chunk in chunks)
        self.given += size
        tokens = {token for token, _ in ahead}
        given_up = self._settle(tokens)
        after = max((token for token, _ in ahead), default=-1)
        pairs: list[tuple[PeerQueue, LiveItem]] = []
        for queue in self._attached():
            queue.never_comes(given_up)
            queue.named(tokens, commit.number)
            uncovered = tuple(object_id for token, object_id in ahead if not queue.covers(token))
            pairs.append((queue, LiveCommit(commit, changes, chunks, uncovered, size, after)))
        self._give(pairs)
        # Whoever sees it counts what waits for a peer afterwards.
        self.newest = commit

    def given_up(self, token: int) -> None:
        """See ``capture.outlet.Outlet``."""
        if token in self._ahead:
            self._ahead = {other: size for other, size in self._ahead.items() if other != token}
            for queue in self._attached():
                queue.never_comes({token})

    def _settle(self, tokens: Set[int]) -> Set[int]:
        """A commit has all content of these. One file is read after the other, so what is older and in no commit was given up:
        the tokens of that."""
        before = self._ahead
        self._ahead = {last: before[last] for last in (self._last_token,) if last in before and last not in tokens}
        return before.keys() - tokens - self._ahead.keys()

    def looked(self) -> None:
        """See ``capture.outlet.Outlet``."""
        self.looks += 1
        for queue in self._attached():
            queue.wake()

    def _attached(self) -> list[PeerQueue]:
        with self._condition:
            return list(self._queues)

    def _give(self, pairs: Sequence[tuple[PeerQueue, LiveItem]]) -> None:
        for queue, item in pairs:
            if not queue.put(item):
                self.detach(queue)

    def _any_room(self) -> bool:
        if self._called and time.monotonic() < self._called_until:
            return False
        streaming = [queue for queue in self._queues if queue.streaming]
        if any(queue.has_room for queue in streaming):
            return True
        return all(self._stands_still(queue.peer) for queue in streaming)

    def _made_room(self) -> None:
        with self._condition:
            self._condition.notify_all()
