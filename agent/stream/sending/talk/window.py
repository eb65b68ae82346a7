"""How much may be under way to a peer: what its link carries within a moment, by what it has worked off. Pure: time is given.

::

    a batch goes out      ─→ remembered with what had been worked off by then
    it was worked off     ─→ what was worked off since, over the time since: the link's rate
    rate × seconds        ─→ bytes that may be under way, bytes of one message

Without a backlog the peer waits for us, so what is measured then is the least that the link carries, and only raises the rate.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

#: Bytes that may always be under way: fewer would let a link rest between two answers.
LEAST = 64 << 10
#: Of content that waits for nothing, in seconds of the link; and of all that is under way: a commit goes past content, so what it
#: waits for is the first.
BULK_SECONDS, MOST_SECONDS = 0.5, 2.0
#: One message, in seconds of the link and in bytes at least: what a small edit waits for even if it goes next.
_MESSAGE_SECONDS, _MESSAGE_LEAST = 0.125, 16 << 10
#: Bytes a second from which on all that goes with one commit is there within a second; and bytes that are a moment's until a
#: rate was measured.
_FAST, _UNKNOWN = 16 << 20, 256 << 10
#: For how many times as long as a rate was seen it is believed.
_BELIEVED = 2.0
#: So much of what may be under way must have been, for the link to be what was waited for.
_BACKLOG_SHARE = 0.5


class _Sent(NamedTuple):
    """A batch under way: the count of bytes with it; how much was worked off when it went, and when that was; whether that much
    is enough for the link to be what is waited for, and whether about as much as may be."""

    total: int
    done: int
    done_at: float
    backlog: bool
    full: bool


class InFlight:
    """The rate of one call's link. For one thread at a time, but for ``rate``."""

    def __init__(self) -> None:
        #: Bytes a second that the link carries; 0.0 before anything is known. ``proven``: it was measured while the link was what
        #: was waited for.
        self.rate = 0.0
        self.proven = False
        self._under_way: deque[_Sent] = deque()
        self._done = 0
        self._done_at = 0.0
        #: Seconds for which about as much was under way as could be.
        self._seen = 0.0

    def sent(self, now: float, total: int) -> None:
        """A batch goes out; ``total``: bytes sent so far, with it."""
        if not self._under_way:
            self._done_at = now
        size = total - self._done
        backlog = size >= _BACKLOG_SHARE * self.bytes(BULK_SECONDS)
        full = size >= _BACKLOG_SHARE * min(self.bytes(BULK_SECONDS), self.most())
        self._under_way.append(_Sent(total, self._done, self._done_at, backlog, full))

    def worked_off(self, now: float, total: int) -> None:
        """The peer says that it has worked off ``total`` bytes. When it has reached that is known by when it said so first."""
        if total == self._done:
            return
        last: _Sent | None = None
        while self._under_way and self._under_way[0].total <= total:
            last = self._under_way.popleft()
        if last is not None and last.full:
            self._seen += now - self._done_at
        self._done, self._done_at = total, now
        if last is None or now <= last.done_at:
            return
        measured = (total - last.done) / (now - last.done_at)
        self.proven = self.proven or last.backlog
        if measured > self.rate:
            self.rate = measured
        elif last.backlog:
            # What stood still for a moment (a sync, a lost packet) is no slow link yet.
            self.rate = (self.rate + measured) / 2

    def bytes(self, seconds: float) -> int:
        """What may be under way for so many seconds of the link; the least until its rate is known: it grows with each answer."""
        return max(LEAST, int(self.rate * seconds))

    def most(self) -> int:
        """All that may be under way. A rate is believed for twice as long as it was seen: the first bytes over a slow link often
        go at once."""
        return max(LEAST, int(self.rate * min(MOST_SECONDS, _BELIEVED * self._seen)))

    def moment(self) -> int | None:
        """What the link carries in half a second, None where that is so much that nobody need care; little until it is known."""
        if self.proven and self.rate >= _FAST:
            return None
        return self.bytes(BULK_SECONDS) if self.proven else max(_UNKNOWN, self.bytes(BULK_SECONDS))

    def message(self, most: int) -> int:
        """Bytes of one message, up to ``most``."""
        return min(most, max(_MESSAGE_LEAST, int(self.rate * _MESSAGE_SECONDS)))
