"""Since when the primary is here, or away, as this standby tells it."""

from __future__ import annotations

#: A call of less is none that came, in ns: the primary ended it itself, as it does not accept our certificate.
_CAME_NS = 1_000_000_000


class Visits:
    """``since``: UTC ns of the last coming or going. Called under the lock of whoever counts the calls."""

    def __init__(self, now_ns: int) -> None:
        self.since = self._away_since = now_ns

    def came(self, now_ns: int) -> None:
        """The first call is served."""
        self._away_since, self.since = self.since, now_ns

    def went(self, now_ns: int) -> None:
        """The last call has ended."""
        self.since = now_ns if now_ns - self.since >= _CAME_NS else self._away_since
