"""What happens too often to be told each time: so many events are kept, and whoever makes one kind of them again and again
(a local user with a socket, a peer that comes and goes) would push all others out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.status.events import Event

#: Events of one code of a dataset that are told at once, and seconds for each further one.
AT_ONCE, EACH = 200, 600.0


class _Kind:
    """Of one dataset and code. ``left_out``: how many were not told since ``last`` but one, the last of them."""

    __slots__ = ("at", "last", "left", "left_out")

    def __init__(self, now: float) -> None:
        self.left = float(AT_ONCE)
        self.at = now
        self.left_out = 0
        self.last = ""

    def refill(self, now: float) -> None:
        self.left = min(float(AT_ONCE), self.left + (now - self.at) / EACH)
        self.at = now


class Repeats:
    """Used by one thread at a time. ``now``: monotonic seconds."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def told(self, events: Iterable[Event], now: float) -> list[Event]:
        """Which of these are told; those that are not are counted, and told as one with the last of them when that is due."""
        told = [event for event in events if self._is_told(event, now)]
        return [*told, *self._due(now)] if self._kinds else told

    def _is_told(self, event: Event, now: float) -> bool:
        kind = self._kinds.setdefault((event.dataset, event.code), _Kind(now))
        kind.refill(now)
        if kind.left >= 1 and not kind.left_out:
            kind.left -= 1
            return True
        kind.left_out, kind.last = kind.left_out + 1, event.message
        return False

    def _due(self, now: float) -> Iterator[Event]:
        for key, kind in tuple(self._kinds.items()):
            kind.refill(now)
            if kind.left_out and kind.left >= 1:
                often = f"{kind.left_out:,} more, which came too often to be told one by one; the last: {kind.last}"
                yield Event(*key, often if kind.left_out > 1 else kind.last)
                kind.left, kind.left_out = kind.left - 1, 0
            elif kind.left >= AT_ONCE:
                del self._kinds[key]
