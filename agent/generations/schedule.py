"""When something that a cron line names is due. Pure: what was missed is made up once, and no jump of the clock stops it."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim

_SECOND = 10**9
#: Over so many seconds datasets of one line are spread, so that not all begin at once.
SPREAD = 30


def spread_ns(name: str) -> int:
    """How long after its line's time the dataset of this name is due (ns); always the same."""
    return zlib.crc32(name.encode()) % SPREAD * _SECOND


def due_since(line: str, done: int, now: int, zone: tzinfo | None = None) -> int | None:
    """The newest moment (UTC ns) of a cron line that is past ``done`` and not past ``now``: however many were missed, one is made
    up. None: nothing is due. A ``done`` in the future was written by a clock that ran ahead: nothing is made up then."""
    if done > now:
        return None
    found = next(CronSim(line, _local(now, zone) + timedelta(seconds=1), reverse=True), None)
    last = int(found.timestamp()) * _SECOND if found is not None else done
    return last if done < last <= now else None


def _local(ns: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(ns // _SECOND, UTC).astimezone(zone)
