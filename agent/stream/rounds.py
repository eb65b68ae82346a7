"""Do a peer's rounds shrink? Pure: told what each round moved, it says whether the rest goes by the spool, and whether the peer
is ``behind``.

A round that could not read what it had to send failed: files changed under it. One that sealed and yet was followed by one as
large shows a peer that the primary's changes outrun. So does time, whatever the rounds move and whether they fail: two rounds
that take as long as the two before. Two, as what one sends is often waited for by the next.
"""

from __future__ import annotations

from collections import deque

#: So many bytes are no backlog: less than a live queue holds.
SMALL = 8 << 20
#: Two rounds that took less than this together, in seconds, are no backlog either.
SHORT = 2.0
#: Failing rounds after which the rest goes by the spool even if they shrink a little.
FAILURES_MAX = 3
#: So long a peer must stream before it counts as one that follows, in seconds: else status would flicker.
STEADY = 60.0


class Rounds:
    """The rounds of one call. ``behind``: the peer does not follow; ``by_spool``: the next round goes by the spool."""

    def __init__(self) -> None:
        self.behind = False
        self.by_spool = False
        self._failed = 0
        self._unread = 0
        self._moved = 0
        self._took: deque[float] = deque(maxlen=4)
        self._streaming_since: float | None = None

    def direct(self, moved: int, unread: int, took: float) -> None:
        """A round from the source ended after ``took`` seconds, with ``moved`` bytes of chunks; ``unread`` bytes were not there
        any more (0: it was sealed)."""
        self._judge_time(took)
        if unread:
            self._failed += 1
            stuck = self._failed > 1 and 2 * unread > self._unread
            self.by_spool = self.by_spool or stuck or self._failed >= FAILURES_MAX
            self.behind = self.behind or self.by_spool
        else:
            self._failed = 0
            self._judge(moved)
        self._unread = unread

    def spooled(self, moved: int, sealed: bool) -> None:
        """A round by the spool ended: sealed with ``moved`` bytes, or given up as the rest did not fit. What remains then is
        tried from the source: either it is little, or it does not fit the spool."""
        self.behind = True
        self.by_spool = sealed and moved > SMALL
        self._failed = 0
        self._moved = moved

    def nothing_left(self) -> None:
        """The peer has the newest commit: it goes on live."""
        self.by_spool = False
        self._failed = self._unread = 0

    def streams(self, now: float) -> None:
        """Live commits begin, at ``now`` (monotonic seconds)."""
        self._streaming_since = now

    def lags(self, now: float) -> None:
        """The peer must catch up again, at ``now``. One that streamed for long begins with a clean slate."""
        if self._streaming_since is not None and now - self._streaming_since > STEADY:
            self.behind = self.by_spool = False
            self._failed = self._unread = self._moved = 0
            self._took.clear()
        self._streaming_since = None

    def _judge(self, moved: int) -> None:
        if self._moved > SMALL and moved > SMALL and 4 * moved > 3 * self._moved:
            self.behind = True
        self._moved = moved

    def _judge_time(self, took: float) -> None:
        self._took.append(took)
        if len(self._took) == self._took.maxlen:
            one, two, three, four = self._took
            if three + four > max(SHORT, 0.75 * (one + two)):
                self.behind = True
