"""Chunks of content that was given up and went to a peer all the same: what is given of it again need not go twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence, Set

from agent.capture.outlet import ReadChunk

#: So many names are remembered; of more, what is given again counts as new until the peer has been asked.
PASSED_MAX = 1 << 14


class PassedChunks:
    """Of one queue. A file that is still being written is given up and read again: its chunks come once more, under another
    token, and are asked for, not sent. Until the answer is there, they would count as lacking.

    Bounded: of one content the first :data:`PASSED_MAX` names, as what is read again begins there; of all that was given up
    the newest."""

    def __init__(self) -> None:
        self._token = -1
        self._names: list[bytes] = []
        self._given_up: OrderedDict[bytes, None] = OrderedDict()

    def put(self, token: int, chunks: Sequence[ReadChunk]) -> None:
        """These are in the queue, as content of ``token``."""
        if token != self._token:
            self._token, self._names = token, []
        self._names.extend(chunk.name for chunk in chunks[: PASSED_MAX - len(self._names)])

    def given_up(self, tokens: Set[int]) -> None:
        """No commit will name content of these."""
        if self._token in tokens:
            for name in self._names:
                self._given_up[name] = None
            self._token, self._names = -1, []
            while len(self._given_up) > PASSED_MAX:
                self._given_up.popitem(last=False)

    def again(self, chunks: Sequence[ReadChunk]) -> int:
        """How many bytes of these went, or go, under a token that was given up since."""
        if not self._given_up:
            return 0
        return sum(len(chunk.data) for chunk in chunks if not chunk.fresh and chunk.name in self._given_up)
