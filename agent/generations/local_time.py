"""Moments as people write them: local time, as on a clock on the wall, and back. Pure.

``2026-11-22 02:13``, ``2026-11-22T02:13:05.5``, with ``Z`` or ``+09:00`` where another zone is meant; a day alone is its
beginning; ``02:13`` is the last time that a clock showed it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from agent.core.errors import UsageError

_SECOND = 1_000_000_000
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
#: Anything that begins so is meant as a time: no label may look like one.
_LIKE_A_TIME = re.compile(r"\d{4}-\d\d|\d{8}(T|$)|\d{1,2}:\d\d", re.ASCII)
_EXAMPLE = 'write it like "2026-11-22 02:13", "2026-11-22 02:13:05" or "02:13"'


def is_like_a_time(text: str) -> bool:
    """Whether a text is meant as a time, rightly written or not."""
    return _LIKE_A_TIME.match(text) is not None


def time_from(text: str, now: int, zone: tzinfo | None = None) -> int:
    """The moment (UTC ns) that ``text`` names, read at ``now`` (UTC ns) where clocks show ``zone`` (None: this machine's).

    Raises ``UsageError`` for what is no time, and for one that a clock showed twice or never."""
    if clock := _CLOCK.fullmatch(text):
        return _last_shown(clock, now, zone)
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("understand the time", text, "it is none", _EXAMPLE) from None
    return _ns(said if said.tzinfo is not None else _placed(said, zone, text))


def time_text(ns: int, zone: tzinfo | None = None) -> str:
    """A moment as it is shown: ``Sun 2026-11-22 02:13:05 JST``."""
    local = datetime.fromtimestamp(ns // _SECOND, UTC).astimezone(zone)
    return f"{local:%a %Y-%m-%d %H:%M:%S} {local.tzname()}"


def iso_text(ns: int, zone: tzinfo | None = None) -> str:
    """A moment with its zone, so that it means the same on another machine; to the microsecond."""
    local = datetime.fromtimestamp(ns // _SECOND, UTC).replace(microsecond=ns % _SECOND // 1000)
    return local.astimezone(zone).isoformat()


def zoned_text(said: str, now: int) -> str:
    """What an operator typed, so that it means the same where clocks show another time: a local time with its zone; all else as
    it is. Raises ``UsageError``."""
    return exact_text(time_from(said, now)) if said and is_like_a_time(said) else said


def _last_shown(clock: re.Match[str], now: int, zone: tzinfo | None) -> int:
    here = datetime.fromtimestamp(now // _SECOND, UTC).astimezone(zone)
    shown = {"hour": int(clock[1]), "minute": int(clock[2]), "second": int(clock[3] or 0), "microsecond": 0}
    today = here.replace(tzinfo=None, **shown)
    found = _ns(_placed(today, zone, clock[0]))
    return found if found <= now else _ns(_placed(today - timedelta(days=1), zone, clock[0]))


def _placed(wall: datetime, zone: tzinfo | None, text: str) -> datetime:
    """What the clocks of a zone showed so. Raises ``UsageError`` where they showed it twice, or passed over it."""
    first = _in_zone(wall, zone)
    second = _in_zone(wall.replace(fold=1), zone)
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC) < second.astimezone(UTC):
        offsets = f"{first:%z} or {second:%z}"
        raise UsageError(
            "understand the time", text, "clocks showed it twice that day", f"add which one is meant: {offsets}"
        )
    raise UsageError("understand the time", text, "clocks passed over it that day", "write the time before or after")


def _in_zone(wall: datetime, zone: tzinfo | None) -> datetime:
    return wall.astimezone() if zone is None else wall.replace(tzinfo=zone)


def _ns(moment: datetime) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * _SECOND + moment.microsecond * 1000


def exact_text(ns: int) -> str:
    """A moment so that :func:`time_from` finds the same anywhere: in UTC, to the microsecond that is not before it."""
    up = -(-ns // 1000)
    return datetime.fromtimestamp(up // 1_000_000, UTC).replace(microsecond=up % 1_000_000).isoformat()
