"""What one call has sent and the peer has not worked off: by weight, which takes credit, and in the clear, which is shown."""

from __future__ import annotations

from collections import deque

from agent.core.ids import NOTHING
from agent.stream.messages import BATCH_TARGET, CREDIT, Batch, Seal, bad
from agent.stream.sending.talk import effort
from agent.stream.sending.talk.window import BULK_SECONDS, InFlight

_CREDIT_MIN = 2 << 20


class UnderWay:
    """Of one call. Written under the call's lock, by the thread that speaks and the one that hears; read by any.

    ``sent``: bytes sent in this call, by weight; ``sealed``: the newest commit that was sealed to the peer; ``worked_off``:
    bytes of content and rows, in the clear, that the peer has worked off."""

    def __init__(self) -> None:
        self.sent = 0
        self.sealed = NOTHING
        self.worked_off = 0
        self._credit = CREDIT
        self._raw = self._saying = 0
        self._consumed = 0
        #: Of each batch under way, what was sent with it, by weight and in the clear.
        self._batches: deque[tuple[int, int]] = deque()
        self._window = InFlight()

    @property
    def size(self) -> int:
        """Bytes sent that the peer has not worked off."""
        return self.sent - self._consumed

    @property
    def bulk_credit(self) -> int:
        """How many bytes of content that waits for nothing may be under way: what the peer works off in half a second, so that a
        small edit does not wait longer behind them."""
        return min(self._credit, self._window.bytes(BULK_SECONDS))

    @property
    def moment(self) -> int | None:
        """Bytes that the link carries in half a second; None on a fast one."""
        return self._window.moment()

    @property
    def is_measured(self) -> bool:
        """Whether :attr:`moment` is what was seen of the link, and no guess."""
        return self._window.proven

    def message(self) -> int:
        """Bytes that one batch should have: few on a slow link."""
        return self._window.message(BATCH_TARGET)

    def level(self) -> int:
        """How hard chunks are to be packed now, see ``effort``."""
        return effort.level(self._window.rate, self.size)

    @property
    def rate(self) -> float:
        """Bytes a second that the link carries; 0.0 before that is known."""
        return self._window.rate

    @property
    def given_raw(self) -> int:
        """Bytes of content and rows, in the clear, that were handed to this call, also what waits for credit or pace."""
        return self._raw + self._saying

    @property
    def left_raw(self) -> int:
        """Of :attr:`given_raw`, what the peer has not worked off."""
        worked_off = self.worked_off  # First, as both rise meanwhile.
        return self.given_raw - worked_off

    def grant(self, credit: int) -> None:
        """So many bytes the peer lets be under way, within what is sensible."""
        self._credit = max(_CREDIT_MIN, min(credit, CREDIT))

    def may_go(self, size: int) -> bool:
        """Whether a batch of ``size`` bytes may be under way too: the peer has memory for it, and the link is not busy for longer
        than it should be. One may always be, however large."""
        most = min(self._credit, self._window.most())
        return not self.size or self.size + size <= most

    def saying(self, raw: int) -> None:
        """A batch of so many bytes in the clear waits to be said."""
        self._saying = raw

    def said(self, batch: Batch, size: int, raw: int, now: float) -> None:
        """It goes out now."""
        self.sent += size
        self._raw += raw
        self._saying = 0
        if size:
            self._batches.append((self.sent, self._raw))
            self._window.sent(now, self.sent)
        self.sealed = next((part.number for part in reversed(batch) if isinstance(part, Seal)), self.sealed)

    def consumed(self, total: int, now: float) -> bool:
        """The peer has worked off so many bytes of this call; whether that is more than before. Raises ``WireError``."""
        if total > self.sent or total < self._consumed:
            raise bad("a count of bytes that is not what was sent")
        moved, self._consumed = total > self._consumed, total
        while self._batches and self._batches[0][0] <= total:
            self.worked_off = self._batches.popleft()[1]
        self._window.worked_off(now, total)
        return moved
