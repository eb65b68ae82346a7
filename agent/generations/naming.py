"""What a generation is called: the second (UTC) in which it was taken, ``20261122T031500Z``; the next in it ends in ``-2``."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from itertools import count

_FORM = "%Y%m%dT%H%M%SZ"
_SECOND = 1_000_000_000


def generation_name(taken: int, in_use: Container[str]) -> str:
    """The name of a generation that is taken at ``taken`` (UTC ns), other than those ``in_use``."""
    second = datetime.fromtimestamp(taken // _SECOND, UTC).strftime(_FORM)
    if second not in in_use:
        return second
    return next(name for number in count(2) if (name := f"{second}-{number}") not in in_use)
