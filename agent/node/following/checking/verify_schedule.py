"""When is a standby, or a share of its vault, to be verified, and since when is that overdue? Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from cronsim import CronSim

#: Datasets of one hour begin within so long, each at a moment of its own, but never later than a quarter of the interval.
SPREAD = timedelta(minutes=30)
#: So many moments tell how far planned moments are apart.
_COUNTED = 100


@dataclass(frozen=True, slots=True)
class VerifySchedule:
    """Of one dataset. ``line``: a cron line in local time. Moments are UTC ns."""

    line: str
    dataset: str

    def due(self, since: int) -> int | None:
        """The first moment after ``since`` at which it is planned, however many have passed since. None: there is none."""
        first, second = self._after(since, 2)
        if first is None:
            return None
        return _ns(self._begins(first, second - first if second is not None else SPREAD))

    def overdue(self, last: int) -> int | None:
        """From when on a verify that ended at ``last`` is too old: two intervals later, and not before it was due twice."""
        first, second, third = self._after(last, 3)
        if first is None or second is None:
            return None
        twice = third - first if third is not None else 2 * (second - first)
        return max(last + int(twice.total_seconds()) * 10**9, _ns(self._begins(second, second - first)))

    def lap_overdue(self, since: int, shares: int, within: int) -> int | None:
        """From when on it is too long ago that all was verified last, share by share: twice as long after ``since`` as so many
        shares take, or as it takes until one is due again that is passed over for ``within`` ns, if that is longer."""
        moments = [one for one in self._after(since, min(max(shares, 2), _COUNTED)) if one is not None]
        if len(moments) < 2:
            return None
        apart = (_ns(moments[-1]) - _ns(moments[0])) // (len(moments) - 1)
        lap = _ns(moments[0]) - since + apart * (shares - 1)
        return since + 2 * max(lap, within + apart)

    def _after(self, since: int, count: int) -> list[datetime | None]:
        planned: Iterator[datetime] = CronSim(self.line, datetime.fromtimestamp(since / 1e9, UTC).astimezone())
        found: list[datetime | None] = list(islice(planned, count))
        return found + [None] * (count - len(found))

    def _begins(self, planned: datetime, interval: timedelta) -> datetime:
        """Later by the same at each time, drawn by the dataset's name."""
        drawn = int.from_bytes(hashlib.sha256(self.dataset.encode()).digest()[:4]) / 2**32
        return planned + min(SPREAD, interval / 4) * drawn


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
