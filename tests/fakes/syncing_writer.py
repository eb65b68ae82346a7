"""Somebody whose every write must be on the disk before the next: what he waits for is how long the disk stands still."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fakes.background import Background


class SyncingWriter(Background):
    """Writes and makes durable, all the time; ``longest``: what one write took at most, in seconds."""

    def __init__(self, root: Path) -> None:
        super().__init__("writer")
        self.longest = 0.0
        self.written = 0
        self._root = root

    def turn(self) -> None:
        began = time.monotonic()
        with (self._root / f"f{self.written % 20}").open("wb") as file:
            file.write(os.urandom(9_000))
            os.fsync(file.fileno())
        self.longest = max(self.longest, time.monotonic() - began)
        self.written += 1
