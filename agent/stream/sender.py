"""The primary's side of one call: handshake, catch up, then live commits as they come.

::

    handshake ─→ catchup ─→ streaming ─┐
                    ↑                  │ the queue overflowed, or does not go on where the peer is
                    └──────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from enum import StrEnum

from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, CommitNumber
from agent.stream import live, messages
from agent.stream.board import PositionBoard
from agent.stream.catchup import Catchup
from agent.stream.conversation import Conversation, Ended
from agent.stream.feed import Feed, LiveCommit, LiveContent, PeerQueue
from agent.stream.load import Load
from agent.stream.messages import Answers, Batch, Hello, Welcome
from agent.stream.source import LineageBroken, Source

_TAKE_BYTES = 4 << 20


class Phase(StrEnum):
    """Where a call stands; outside strings never change."""

    HANDSHAKE = "handshake"
    CATCHUP = "catchup"
    STREAMING = "streaming"
    ENDED = "ended"


class Sender:
    """One call to one peer. :meth:`outgoing` runs in the transport's request iterator, :meth:`incoming` where answers
    are read, :meth:`close` and the properties anywhere.

    ``open_source`` is called in the thread that runs :meth:`outgoing`; ``board`` is told the peer's position."""

    def __init__(
        self,
        peer: str,
        hello: Hello,
        open_source: Callable[[], Source],
        feed: Feed,
        board: PositionBoard,
        clock: Clock,
    ) -> None:
        self.talk = Conversation(peer, clock)
        self.phase = Phase.HANDSHAKE
        self._peer = peer
        self._hello = hello
        self._open_source = open_source
        self._feed = feed
        self._board = board
        self._queue: PeerQueue | None = None
        self._now: CommitNumber | None = None
        self._accepted = self._mends = False

    @property
    def behind_bytes(self) -> int:
        """Bytes captured for this peer or under way to it that it has not worked off."""
        queue = self._queue
        return self.talk.in_flight + (queue.bytes if queue is not None else 0)

    @property
    def caught_up(self) -> bool:
        """Whether the peer was brought up to date in this call, durably."""
        welcome = self.talk.welcome
        if self._now is None or welcome is None:
            return False
        return max(welcome.durable, self.talk.position.durable) >= self._now

    def outgoing(self) -> Iterator[Batch]:
        """What is to be sent, to the end of the call. Never raises: why it ended stands in ``talk.failure``."""
        try:
            yield from self._speak()
            self.talk.end()
        except Ended:
            pass
        except HikaeError as error:
            self.talk.end(error)
        finally:
            self.phase = Phase.ENDED

    def incoming(self, answers: Answers) -> None:
        """What the peer says. A failure ends the call and is raised: ``RefusedByPeer``, ``WireError``."""
        try:
            self.talk.hear(answers)
        except HikaeError as error:
            self.talk.end(error)
            raise
        if self._accepted:
            self._tell_position()

    def close(self) -> None:
        """Come to an end after the commit that is being sent; what is not sealed is withdrawn. Returns at once."""
        self.talk.close()

    def release(self) -> None:
        """The call has ended: nothing more for its queue. Nobody may ever resume :meth:`outgoing` then, and a queue that is
        left behind would hold up capture once it is full."""
        self.talk.end()
        queue = self._queue
        if queue is not None:
            queue.streaming = False
            self._feed.detach(queue)

    def _speak(self) -> Iterator[Batch]:
        yield (self._hello,)
        yield from self.talk.wait(lambda: self.talk.welcome is not None or self.talk.closing)
        if self.talk.welcome is None:
            return
        source = self._open_source()
        try:
            base = self._common(self.talk.welcome, source)
            # Not before: numbers of another history say nothing about ours.
            self._accepted, self._mends = True, self.talk.welcome.lacking
            self._tell_position()
            while not self.talk.closing:
                base = yield from self._attached(base, source)
        finally:
            source.close()

    def _tell_position(self) -> None:
        position = self.talk.position
        self._board.publish(durable=position.durable, applied=position.applied)

    def _common(self, welcome: Welcome, source: Source) -> CommitNumber:
        """The peer's newest commit if it is ours too; ``NOTHING`` for an empty peer, and for one that holds an earlier reign
        of this node whose catalog is gone: what it has is replaced then, and kept as history.

        Raises ``LineageBroken``, ``WireError``."""
        if welcome.node != self._peer or welcome.version not in self._hello.versions:
            raise messages.bad(f"a welcome of {welcome.node!r} in version {welcome.version}")
        if welcome.durable == NOTHING:
            return NOTHING
        commit = source.commit_at(welcome.durable)
        if commit is None or commit.digest != welcome.durable_digest:
            if welcome.epoch.owner == self._hello.node and welcome.epoch.number < self._hello.epoch.number:
                return NOTHING
            raise LineageBroken(self._peer, welcome.epoch, welcome.durable)
        return commit.number

    def _attached(self, base: CommitNumber, source: Source) -> Generator[Batch, None, CommitNumber]:
        """Serve one queue until it overflows or the call is closing; returns the commit that the peer has then."""
        queue = self._queue = self._feed.attach(self._peer, self.talk.wake)
        try:
            if self.talk.over:
                raise Ended
            while not (queue.overflowed or self.talk.closing):
                self.phase = Phase.CATCHUP
                queue.streaming = False
                catchup = Catchup(self.talk, source, queue, base)
                if self._mends:
                    self._mends = False
                    yield from catchup.mend()
                yield from catchup.run()
                self._now = catchup.base
                self.phase = Phase.STREAMING
                queue.streaming = not self.talk.over
                base = yield from self._stream(catchup.base, queue)
        finally:
            queue.streaming = False
            self._feed.detach(queue)
        return base

    def _stream(self, base: CommitNumber, queue: PeerQueue) -> Generator[Batch, None, CommitNumber]:
        """Live commits; returns where the peer is when the queue does not go on from there."""
        load = Load()
        while True:
            yield from self.talk.wait(lambda: bool(queue) or queue.overflowed or self.talk.closing)
            items = queue.take(_TAKE_BYTES)
            if not items:
                return base
            had = yield from live.ask(self.talk, load, items)
            fits = True
            for item in items:
                if isinstance(item, LiveCommit) and fits and item.commit.number > base:
                    fits = item.commit.parent == base and not item.uncovered
                    if fits:
                        yield from live.put_commit(self.talk, load, item, base, had)
                        base = item.commit.number
                        continue
                # Rows that do not fit are offered by the catchup that follows; it counts on the chunks having gone out.
                patches = fits and isinstance(item, LiveContent) and queue.covers(item.token) and self.talk.patches
                yield from live.put_chunks(self.talk, load, item, had, patches)
            yield from self.talk.say(load.take())
            if not fits:
                return base
