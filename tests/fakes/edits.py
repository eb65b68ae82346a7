"""A user at work: a large file that grows, and small edits whose way to the standby is timed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from fakes.eventually import eventually

_BLOCK = 1 << 20


def written_steadily(path: Path, size: int, rate: float, stop: threading.Event) -> None:
    """Write a file of ``size`` bytes at ``rate`` bytes a second; incompressible, no block twice."""
    begun = time.monotonic()
    with path.open("wb") as file:
        for at in range(0, size, _BLOCK):
            file.write(os.urandom(_BLOCK))
            if stop.wait(max(0.0, begun + (at + _BLOCK) / rate - time.monotonic())):
                return


def lag_of_an_edit(path: Path, copy: Path, words: str) -> float:
    """Seconds from writing a small file until it stands on a standby."""
    begun = time.monotonic()
    path.write_text(words)

    def is_there() -> bool:
        return copy.exists() and copy.read_text() == words

    eventually(is_there)
    return time.monotonic() - begun
