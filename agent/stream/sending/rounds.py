"""Do a peer's rounds shrink? Pure: told what each round moved, it says whether the rest goes by the spool, and whether the peer
is ``behind``.

A round that could not read what it had to send failed: files changed under it. One that sealed and yet was followed by one as
large shows a peer that the primary's changes outrun. So does time, whatever the rounds move and whether they fail: two rounds
that take as long as the two before. Two, as what one sends is often waited for by the next.

Rounds may also bring nothing at all: what they lack stays unread although capture has looked at it again, whatever the cause.
A minute of that ends the call (``Stalled``), and the next one begins with nothing that this one held open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from agent.core.errors import TryAgain
from agent.core.ids import ObjectId
from agent.core.problem_codes import STALLED
from agent.stream.sending.source import Source

#: So many bytes are no backlog: less than a live queue holds.
SMALL = 8 << 20
#: Two rounds that took less than this together, in seconds, are no backlog either.
SHORT = 2.0
#: Failing rounds after which the rest goes by the spool even if they shrink a little.
FAILURES_MAX = 3
#: So long a peer must stream before it counts as one that follows, in seconds: else status would flicker.
STEADY = 60.0
#: So long, in seconds, rounds and waits may bring nothing.
FRUITLESS = 60.0


class Stalled(TryAgain):
    """A call brought nothing for too long. It is ended, and another one begun. ``path``: one of the files that hold it up."""

    code = STALLED

    def __init__(self, peer: str, what: str, path: bytes = b"") -> None:
        remedy = "it is begun anew by itself; if this stays, look at that file on this node, then type: hikae reconcile"
        super().__init__("replicate", peer, f"nothing could be brought for {FRUITLESS:.0f} s: {what}", remedy)
        self.path = path

    @classmethod
    def by_files(cls, peer: str, source: Source, ids: Collection[ObjectId], what: str) -> Stalled:
        """``what`` is the matter with these objects, which ``source`` knows the path of."""
        path = source.path_of(min(ids)) if ids else None
        return cls(peer, f"{len(ids)} file{'' if len(ids) == 1 else 's'} {what}", path or b"")


class Fruitless:
    """Since when nothing is brought: ``began`` (monotonic seconds), None while something is."""

    def __init__(self) -> None:
        self.began: float | None = None

    def brought(self) -> None:
        """Something was."""
        self.began = None

    def nothing(self, now: float) -> bool:
        """Nothing was; whether that is so for too long."""
        if self.began is None:
            self.began = now
        return now - self.began >= FRUITLESS


class Rounds:
    """The rounds of one call. ``behind``: the peer does not follow; ``by_spool``: the next round goes by the spool;
    ``fruitless``: whether they bring anything at all."""

    def __init__(self) -> None:
        self.fruitless = Fruitless()
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
            self.fruitless.brought()
        self._unread = unread

    def spooled(self, moved: int, sealed: bool) -> None:
        """A round by the spool ended: sealed with ``moved`` bytes, or given up as the rest did not fit. What remains then is
        tried from the source: either it is little, or it does not fit the spool."""
        self.behind = True
        if sealed:
            self.fruitless.brought()
        self.by_spool = sealed and moved > SMALL
        self._failed = 0
        self._moved = moved

    def nothing_left(self) -> None:
        """The peer has the newest commit: it goes on live."""
        self.by_spool = False
        self._failed = self._unread = 0
        self.fruitless.brought()

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
