"""One call per dataset on the answering side: a newer one replaces an older, which may hang on a dead link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent.core.errors import TryAgain


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
