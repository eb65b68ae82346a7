"""Who is served on the answering side: each peer has calls of its own, and each dataset one.

A newer call for a dataset replaces an older, which may hang on a dead link. Whoever is no peer has no call at all, and a peer
that opens many takes none of the others'.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from agent.core.errors import NotPermitted, TryAgain


class PeerSeats:
    """Calls that may be open at once, by peer. Thread-safe; nobody waits for one."""

    def __init__(self, allowed: Mapping[str, int]) -> None:
        self._allowed = dict(allowed)
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Of all peers together."""
        return sum(self._allowed.values())

    def allow(self, allowed: Mapping[str, int]) -> None:
        """From now on so many. Calls that are open stay open, and count."""
        with self._lock:
            self._allowed = dict(allowed)

    def require(self, peer: str) -> None:
        """Raises ``NotPermitted`` for one that is not configured."""
        if peer not in self._allowed:
            remedy = "add it as a [[peer]] to the configuration here, then: hikae reload"
            raise NotPermitted("serve a call", peer, "it is no peer of this node", remedy)

    @contextmanager
    def taken(self, peer: str) -> Iterator[None]:
        """Serve a call of ``peer``. Raises ``NotPermitted`` for one that is not configured, ``TryAgain`` for one too many."""
        with self._lock:
            self.require(peer)
            taken = self._taken.get(peer, 0)
            if taken >= self._allowed[peer]:
                raise TryAgain("serve a call", peer, f"{taken} of its calls are open already")
            self._taken[peer] = taken + 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[peer] -= 1


class Seats:
    """Who is being served. Thread-safe; one for a node."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._taken: dict[str, Callable[[], None]] = {}
        self._order: dict[str, int] = {}

    @contextmanager
    def taken(self, dataset: str, leave: Callable[[], None], timeout: float = 10.0) -> Iterator[None]:
        """Serve ``dataset`` alone. Whoever does so is told to ``leave()`` (which must not block) and waited for.

        Raises ``TryAgain`` when it does not go within ``timeout`` seconds, or a still newer call came."""
        self._take(dataset, leave, timeout)
        try:
            yield
        finally:
            with self._condition:
                del self._taken[dataset]
                self._condition.notify_all()

    def _take(self, dataset: str, leave: Callable[[], None], timeout: float) -> None:
        with self._condition:
            turn = self._order[dataset] = self._order.get(dataset, 0) + 1
            if dataset in self._taken:
                self._taken[dataset]()
            free = self._condition.wait_for(lambda: dataset not in self._taken, timeout)
            if not free or self._order[dataset] != turn:
                raise TryAgain("serve a call", dataset, "another call for it has not ended yet")
            self._taken[dataset] = leave
