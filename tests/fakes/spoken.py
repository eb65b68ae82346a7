"""A station whose commits travel by a real sender to a real receiver, in memory; its source can be slow between look and read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent.capture.files.read_back import TreeSource
from agent.capture.outlet import ReadChunk
from agent.core.clock import SystemClock
from agent.core.commit import Changes, Commit
from agent.core.ids import NOTHING, ObjectId
from agent.node.kinds.primary_kind import TreeLooks
from agent.node.reigning.primary_source import PrimarySource
from agent.store.spool import Spool
from agent.stream.messages import Hello
from agent.stream.position import PositionBoard
from agent.stream.sending.feed import Feed
from agent.stream.sending.sender import Sender, SendingContext
from agent.stream.versions import SPOKEN
from fakes.capture_fakes import LightOutlet, SlowReader, Station, station
from fakes.idle import feed_at_all_hours
from fakes.memory_link import MemoryTransport
from fakes.stream_fakes import Secondary


class FedOutlet(LightOutlet):
    """Keeps what it is given, and gives it to the attached peers."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = feed_at_all_hours()

    def given_up(self, token: int) -> None:
        super().given_up(token)
        self.feed.given_up(token)

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        super().content(token, chunks, is_new)
        self.feed.content(token, chunks, is_new)

    def commit(
        self,
        commit: Commit,
        changes: Changes,
        chunks: Sequence[ReadChunk],
        ahead: Sequence[tuple[int, ObjectId]],
    ) -> None:
        super().commit(commit, changes, chunks, ahead)
        self.feed.commit(commit, changes, chunks, ahead)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A call from ``station`` to ``secondary`` that goes on by itself."""

    station: Station
    secondary: Secondary
    sender: Sender

    def caught_up(self, seconds: float) -> bool:
        """Whether both come to have the same newest commit within that time, and the call goes on."""
        for _ in range(int(seconds / 0.005)):
            newest = self.station.catalog.newest()
            if newest is not None and newest.digest == self.secondary.digest():
                return True
            if self.sender.talk.watch(0.005):
                raise AssertionError(self.sender.talk.failure)
        return False


@contextmanager
def spoken(made: Station, base: Path, feed: Feed, looked: Callable[[], None]) -> Iterator[Spoken]:
    """A call of its own, ended and joined in the end."""
    newest = made.catalog.newest()
    hello = Hello("alpha", "web", SPOKEN, made.catalog.lineage[-1], newest.number if newest else NOTHING, b"n" * 32)

    def source() -> PrimarySource:
        tree = TreeSource(str(made.root), SlowReader(made.catalog.reader(), looked))
        return PrimarySource(tree, TreeLooks(made.local, made.pump), made.catalog, vault=None)

    spool = partial(Spool.open, str(base))
    context = SendingContext(source, spool, feed, SystemClock(), None)
    sender = Sender("beta", hello, context, board=PositionBoard(), pace=None, owed=lambda _total, _paths: None)
    secondary = Secondary(base / "beta")
    thread = threading.Thread(target=_run, args=(sender, secondary), name="spoken")
    thread.start()
    try:
        yield Spoken(made, secondary, sender)
    finally:
        sender.close()
        thread.join(30)
        sender.talk.end()
        thread.join()
        sender.release()
        secondary.close()


@contextmanager
def station_that_speaks(base: Path) -> Iterator[tuple[Station, Feed]]:
    """An empty root, and a station on it whose commits are fed."""
    root, outlet = base / "root", FedOutlet()
    root.mkdir(parents=True)
    with station(root, base / "state", outlet) as made:
        yield made, outlet.feed


def _run(sender: Sender, secondary: Secondary) -> None:
    try:
        for answers in MemoryTransport(secondary).exchange("beta", sender.outgoing()):
            sender.incoming(answers)
    finally:
        sender.talk.end()
