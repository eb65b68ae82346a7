"""Quantities as operators write them: ``24h``, ``30%``, ``80MB/s``, ``22:00-05:00``, ``beta.example:7440``.

Each ``parse_`` takes what stood in the file, whatever its type, and raises ``ValueError`` with what is wrong and what to
write instead; each ``format_`` gives a text that parses to the same value.
"""

from __future__ import annotations

import re

from agent.core.clock import LONGEST_DURATION

_DURATION_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_SPAN_MS = {"ms": 1, **{unit: seconds * 1000 for unit, seconds in _DURATION_UNITS.items()}}
_SPAN = re.compile(r"(\d{1,9})(ms|s|m|h|d|w)", re.ASCII)
_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%", re.ASCII)
_SIZE_UNITS = {
    "TiB": 1 << 40,
    "GiB": 1 << 30,
    "MiB": 1 << 20,
    "KiB": 1 << 10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "KB": 10**3,
    "B": 1,
}
_SIZE = re.compile(r"(\d{1,15}) ?(TiB|GiB|MiB|KiB|TB|GB|MB|kB|KB|B)", re.ASCII)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(\d{1,9})", re.ASCII)


def printable(text: str) -> str:
    """A text with everything escaped that could do something to a terminal or a log."""
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)


def quoted(text: str) -> str:
    """A text as a TOML string of printable characters."""
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def shown_value(value: object) -> str:
    """A value as it stands in TOML, shortened, for messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value if len(value) <= 200 else value[:197] + "...")
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)


def parse_duration(value: object) -> int:
    """``"1h30m"`` → 5400 seconds. Units w, d, h, m, s, in this order; more than nothing."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f'{shown_value(value)} is no duration; write a number and a unit (s, m, h, d, w), like "24h"')
    amounts = zip(match.groups(), _DURATION_UNITS.values(), strict=True)
    seconds = sum(int(amount) * unit for amount, unit in amounts if amount)
    if not 0 < seconds <= LONGEST_DURATION:
        raise ValueError(f'{shown_value(value)} is out of range; write a duration between "1s" and "5000w"')
    return seconds


def parse_duration_or_none(value: object) -> int:
    """As :func:`parse_duration`; ``"0"`` → 0: it is not asked for."""
    return 0 if value == "0" else parse_duration(value)


def format_duration_or_none(seconds: int) -> str:
    """0 → ``"0"``, else as :func:`format_duration`."""
    return format_duration(seconds) or "0"


def format_duration(seconds: int) -> str:
    """5400 → ``"1h30m"``."""
    text = ""
    for unit, length in _DURATION_UNITS.items():
        amount, seconds = divmod(seconds, length)
        text += f"{amount}{unit}" if amount else ""
    return text


def parse_span(value: object, least: int, most: int) -> float:
    """``"50ms"`` → 0.05 seconds: one number and one unit, ``ms`` among them. ``least`` and ``most`` in milliseconds."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'{shown_value(value)} is no duration; write a number and a unit (ms, s, m, h, d, w), like "50ms"'
        )
    ms = int(match[1]) * _SPAN_MS[match[2]]
    if not least <= ms <= most:
        between = f'"{format_span(least / 1000)}" and "{format_span(most / 1000)}"'
        raise ValueError(f"{shown_value(value)} is out of range; write a duration between {between}")
    return ms / 1000


def format_span(seconds: float) -> str:
    """0.05 → ``"50ms"``, in the largest unit that it is a whole number of."""
    ms = round(seconds * 1000)
    unit = max((unit for unit in _SPAN_MS if ms % _SPAN_MS[unit] == 0), key=_SPAN_MS.__getitem__)
    return f"{ms // _SPAN_MS[unit]}{unit}"


def parse_percentage(value: object) -> float:
    """``"30%"`` → 0.3, a share between 0 and 1."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError(f'{shown_value(value)} is no percentage; write one between 0 and 100, like "30%"')
    return float(match[1]) / 100


def parse_part(value: object) -> float:
    """:func:`parse_percentage` of what comes to all in the end: a ten-thousandth at least."""
    share = parse_percentage(value)
    if share < 0.0001:
        raise ValueError(f'{shown_value(value)} would take for ever; write one from 0.01 to 100, like "5%"')
    return share


def format_percentage(share: float) -> str:
    """0.3 → ``"30%"``."""
    return f"{round(share * 100, 6):g}%"


def parse_size(value: object) -> int:
    """``"500GB"`` → bytes. kB, MB, GB, TB are powers of 1,000, KiB, MiB, GiB, TiB of 1,024."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[1]) == 0:
        raise ValueError(
            f'{shown_value(value)} is nothing; write a size above 0, like "500GB", or leave it out for none'
        )
    if match is None:
        raise ValueError(f'{shown_value(value)} is no size; write a number and a unit (MB, GB, GiB, TB), like "500GB"')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def format_size(size: int) -> str:
    """Bytes → the shortest exact text: ``"500GB"``."""
    unit = next(unit for unit in sorted(_SIZE_UNITS, key=lambda u: -_SIZE_UNITS[u]) if size % _SIZE_UNITS[unit] == 0)
    return f"{size // _SIZE_UNITS[unit]}{unit}"


def parse_rate(value: object) -> int:
    """``"80MB/s"`` → bytes a second."""
    match = _SIZE.fullmatch(value[:-2]) if isinstance(value, str) and value.endswith("/s") else None
    if match is None:
        raise ValueError(f'{shown_value(value)} is no rate; write bytes a second, like "80MB/s"')
    if int(match[1]) == 0:
        raise ValueError(
            f'{shown_value(value)} lets nothing pass; write a rate above 0, like "80MB/s", or leave it out for no limit'
        )
    return int(match[1]) * _SIZE_UNITS[match[2]]


def format_rate(rate: int) -> str:
    """Bytes a second → ``"80MB/s"``."""
    return f"{format_size(rate)}/s"


def parse_hours(value: object) -> tuple[int, int]:
    """``"22:00-05:00"`` → (1320, 300): minutes of the local day, from and up to; it may pass midnight."""
    match = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'{shown_value(value)} is no span of hours; write from and to as HH:MM-HH:MM, like "22:00-05:00"'
        )
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError(f"{shown_value(value)} is an empty span; leave hours out for the whole day")
    return start, end


def format_hours(hours: tuple[int, int]) -> str:
    """(1320, 300) → ``"22:00-05:00"``."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in hours)


def parse_address(value: object) -> str:
    """``"host:port"``, ``"192.0.2.1:7440"`` or ``"[2001:db8::1]:7440"``, unchanged."""
    if not isinstance(value, str) or (match := _ADDRESS.fullmatch(value)) is None:
        raise ValueError(
            f'{shown_value(value)} is no address; write host:port, like "beta.example:7440" or "[::]:7440"'
        )
    if not 1 <= int(match[2]) <= 65_535:
        raise ValueError(f"{shown_value(value)} has no valid port; write one between 1 and 65535")
    return value
