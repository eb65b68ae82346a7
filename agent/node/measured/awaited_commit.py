"""The commit that ends a first sync once it stands applied, kept over restarts of the agent that waits for it."""

from __future__ import annotations

import struct

from agent.core.ids import NOTHING, CommitNumber
from agent.store.local import Local

_NUMBER = struct.Struct(">q")


class AwaitedCommit:
    """One number among the local facts, under ``key``; ``NOTHING`` once it was reached, or before there is one. Any thread.

    What was reached is not waited for again: that it is not there later is another matter. Methods raise as ``Local``."""

    def __init__(self, local: Local, key: str) -> None:
        self._local = local
        self._key = key
        kept = local.value(key)
        self._number = CommitNumber(_NUMBER.unpack(kept)[0]) if kept else NOTHING

    def begin(self, number: CommitNumber) -> None:
        """From now on ``number`` is waited for."""
        self._local.set_value(self._key, _NUMBER.pack(number))
        self._number = number

    def reached(self, applied: CommitNumber) -> None:
        """``applied`` stands applied: what is waited for may be that, or before it."""
        if self._number != NOTHING and applied >= self._number:
            self._local.set_value(self._key, b"")
            self._number = NOTHING

    def is_lacking(self, applied: CommitNumber) -> bool:
        """Whether something is waited for that ``applied`` does not have."""
        return applied < self._number
