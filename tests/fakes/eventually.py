"""Waiting for something to become true, with an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.03


def eventually(look: Callable[[], T | None], within: float = 40.0) -> T:
    """What ``look()`` gives as soon as it is true; fails with what it gave last after ``within`` seconds."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within:.0f} s; the last look gave {found!r}"
        pause.wait(_PAUSE)
