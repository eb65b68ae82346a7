"""A moment that is read on another node: everything that comes is checked here (law 6)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from agent.core.chunks import name_of, name_of_list
from agent.core.commit import Changes
from agent.core.errors import Damaged, NotFound
from agent.generations.afar import FoundMoment
from agent.rpc.peers.moment_codec import MomentPart, WantedChanges, WantedChunks, decode_part, encode_wanted
from agent.rpc.peers.peer_answers import PeerAnswers
from agent.rpc.peers.peer_limits import CHUNKS_ASKED
from agent.stream.locator import CommitMark
from agent.stream.messages import bad

#: Bytes of chunks that are kept at hand.
_CACHE = 32 << 20


class MomentCall:
    """Satisfies ``generations.afar.OpenMoment`` over a call that stands. Chunks may be read by several threads, one after the
    other; rows by one, while no chunk is. ``found``: what the peer says of it;
    rows are to be believed once they come out with the digest of its mark."""

    def __init__(self, answers: PeerAnswers, found: FoundMoment, peer: str, cache: int = _CACHE) -> None:
        self.found = found
        self._answers = answers
        self._peer = peer
        self._most = cache
        self._at_hand: OrderedDict[bytes, bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def rows(self, since: CommitMark | None = None) -> Iterator[Changes]:
        """See ``OpenMoment``. What comes is to be read to its end before anything else is asked."""
        self._answers.send(encode_wanted(WantedChanges(since)))
        while not (part := self._next()).last:
            yield part.changes

    def chunk(self, name: bytes) -> bytes:
        """See ``OpenMoment``."""
        with self._lock:
            if name not in self._at_hand:
                self._fetch((name,))
            data = self._at_hand[name]
            self._at_hand.move_to_end(name)
        return data

    def fetch(self, names: Sequence[bytes]) -> None:
        """Have these at hand, in one round. Raises as :meth:`chunk`; a few more than are kept push out the first."""
        with self._lock:
            self._fetch(names)

    def _fetch(self, names: Sequence[bytes]) -> None:
        lacking = [name for name in names if name not in self._at_hand]
        for start in range(0, len(lacking), CHUNKS_ASKED):
            some = lacking[start : start + CHUNKS_ASKED]
            self._answers.send(encode_wanted(WantedChunks(some)))
            came = [self._checked(name, self._next()) for name in some]
            if not self._next().last:
                raise bad("more chunks than were asked for")
            for name, data in zip(some, came, strict=True):
                if data is None:
                    raise NotFound("read a moment", name.hex(), f"{self._peer} does not have that chunk")
                self._keep(name, data)

    def close(self) -> None:
        """See ``OpenMoment``: the call ends with its context."""

    def _checked(self, name: bytes, part: MomentPart) -> bytes | None:
        if not part.came:
            raise bad("no chunk where one was asked for")
        if not part.chunk:
            return None
        if name not in (name_of(part.chunk), name_of_list(part.chunk)):
            raise Damaged("read a moment", name.hex(), f"what {self._peer} sends is not that chunk", "")
        return part.chunk

    def _keep(self, name: bytes, data: bytes) -> None:
        self._at_hand[name] = data
        self._held += len(data)
        while self._held > self._most and len(self._at_hand) > 1:
            _, gone = self._at_hand.popitem(last=False)
            self._held -= len(gone)

    def _next(self) -> MomentPart:
        part = decode_part(self._answers.next())
        if part.error is not None:
            raise part.error
        return part
