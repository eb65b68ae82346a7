"""The pump's outlet: the feed, with the lag of each peer measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.capture.outlet import ReadChunk, Room
from agent.core.commit import Changes, Commit
from agent.core.ids import ObjectId
from agent.node.measured.lag import LagMeter
from agent.stream.sending.feed import Feed


class MeasuredFeed:
    """A ``capture.outlet.Outlet`` over ``feed``; ``moved`` is called at every commit."""

    def __init__(self, feed: Feed, meters: Sequence[LagMeter], moved: Callable[[], None]) -> None:
        self._feed = feed
        self._meters = meters
        self._moved = moved
        self._since: float | None = None

    def has_room(self, timeout: float) -> bool:
        """See ``Outlet``."""
        return self._feed.has_room(timeout)

    def room(self) -> Room | None:
        """See ``Outlet``."""
        return self._feed.room()

    def content(self, token: int, chunks: Sequence[ReadChunk], is_new: bool = False) -> None:
        """See ``Outlet``."""
        self._feed.content(token, chunks, is_new)

    def given_up(self, token: int) -> None:
        """See ``Outlet``."""
        self._feed.given_up(token)

    def waited(self, since: float) -> None:
        """See ``Outlet``."""
        self._since = since

    def looked(self) -> None:
        """See ``Outlet``."""
        self._feed.looked()

    def commit(
        self, commit: Commit, changes: Changes, chunks: Sequence[ReadChunk], ahead: Sequence[tuple[int, ObjectId]]
    ) -> None:
        """See ``Outlet``."""
        since, self._since = self._since, None
        for meter in self._meters:
            meter.captured(commit.number, self._feed.given, since)
        self._feed.commit(commit, changes, chunks, ahead)
        self._moved()
