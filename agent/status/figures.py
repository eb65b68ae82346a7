"""How numbers are shown to people, and times to programs."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(count: int) -> str:
    """Bytes, in the unit that leaves one to four digits: ``1.4 GiB``."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return count_text(count, "byte")
    return f"{value:.1f} {_UNITS[unit]}" if value < 100 else f"{value:.0f} {_UNITS[unit]}"


def count_text(count: int, noun: str) -> str:
    """So many of a thing: ``1 entry``, ``2,000 entries``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def rate_text(rate: float) -> str:
    """Bytes a second, in the units that configuration takes: ``80 MB/s``, ``1.05 MB/s``."""
    for unit, size in (("GB/s", 1e9), ("MB/s", 1e6), ("kB/s", 1e3)):
        if rate >= size:
            value = rate / size
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{rate:.0f} B/s"


def span_text(seconds: float) -> str:
    """A duration: ``21 ms``, ``4.2 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 days 4 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    days = whole // 86400
    return f"{days} day{'' if days == 1 else 's'} {whole % 86400 // 3600} h"


def stamp(ns: int | None) -> str | None:
    """UTC ns as the text that JSON carries: ``2026-11-22T03:15:00.123456Z``; None and 0 (never) are null."""
    if not ns:
        return None
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def stamp_ns(text: str) -> int:
    """The UTC ns of a :func:`stamp`, to the microsecond. Raises ``ValueError`` for other text."""
    moment = datetime.fromisoformat(text)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def clock_text(text: str, now: str) -> str:
    """A stamp in local time, as short as it is clear beside ``now`` (a stamp too): ``03:00``, else ``Nov 21 03:00``."""
    moment = datetime.fromisoformat(text).astimezone()
    today = datetime.fromisoformat(now).astimezone()
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    if moment.year == today.year:
        return f"{moment:%b} {moment.day} {moment:%H:%M}"
    return f"{moment:%Y-%m-%d %H:%M}"
