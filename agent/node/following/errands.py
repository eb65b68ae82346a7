"""What other threads want done with the catalog's writing side: done by whoever holds it, between two commits.

::

    an operation, the node's tick ─→ Errands.run ─→ waits
                                        │
       nobody calls: the asking thread does it itself, and a call that begins waits
       a call is served: its thread does it, at its next rest or after its next seal
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from agent.core.errors import TryAgain
from agent.node.following.served_calls import ServedCalls
from agent.store.catalog.catalog import Catalog

ResultT = TypeVar("ResultT")
#: How long an errand waits for a commit that is under way, in seconds.
WAITS = 30.0


class _Errand(Generic[ResultT]):
    """One of them, and how it ended."""

    def __init__(self, action: Callable[[Catalog], ResultT]) -> None:
        self._action = action
        self._result: ResultT | None = None
        self._error: BaseException | None = None
        self.called_off = False
        self.done = threading.Event()

    def do(self, catalog: Catalog) -> None:
        """By whoever holds the writing side; what it raises is its asker's."""
        try:
            self._result = self._action(catalog)
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            self._error = error
        finally:
            self.done.set()

    def call_off(self) -> None:
        """Nobody will do it."""
        self.called_off = True
        self.done.set()

    def result(self) -> ResultT:
        """What came of it."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # set where there is no error


class Errands:
    """Of one standby. :meth:`run` is for any thread, :meth:`turn` for who holds the writing side while nothing is staged.
    ``wake`` lets the thread that serves a call look up."""

    def __init__(self, dataset: str, catalog: Catalog, calls: ServedCalls, wake: Callable[[], None]) -> None:
        self._dataset = dataset
        self._catalog = catalog
        self._calls = calls
        self._wake = wake
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: deque[_Errand[object]] = deque()

    @property
    def wanted(self) -> bool:
        """Whether anything is to be done; cheap."""
        return bool(self._waiting)

    def run(self, operation: str, action: Callable[[Catalog], ResultT], seconds: float = WAITS) -> ResultT:
        """Have ``action`` done with the writing side; what it returned or raised. It must be short: a commit waits for it.

        Raises ``TryAgain`` when no moment for it came within ``seconds``, or the dataset is closed meanwhile."""
        errand = _Errand(action)
        with self._lock:
            if self._closed:
                raise self._closing(operation)
            self._waiting.append(errand)  # type: ignore[arg-type]  # its result is only handed back to who asked
        self._calls.while_nobody_calls(self.turn)
        if not errand.done.is_set():
            self._wake()
        if not errand.done.wait(seconds) and self._taken_back(errand):
            reason = f"a commit is being received since {seconds:.0f} s, and it comes between two"
            raise TryAgain(operation, self._dataset, reason, "type it again, or see hikae status for what comes in")
        errand.done.wait()
        if errand.called_off:
            raise self._closing(operation)
        return errand.result()

    def post(self, action: Callable[[Catalog], None]) -> None:
        """Have ``action`` done soon; nobody waits for it, so it raises nothing."""
        with self._lock:
            if not self._closed:
                self._waiting.append(_Errand(action))

    def turn(self) -> None:
        """Do all that waits."""
        while self._waiting:
            with self._lock:
                errand = self._waiting.popleft() if self._waiting else None
            if errand is not None:
                errand.do(self._catalog)

    def close(self) -> None:
        """Nothing more is done; who waits is told so. By whoever closes the catalog, before that."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
        for errand in waiting:
            errand.call_off()

    def _closing(self, operation: str) -> TryAgain:
        return TryAgain(operation, self._dataset, "the dataset is being opened anew", "type it again in a moment")

    def _taken_back(self, errand: object) -> bool:
        """Whether nobody had begun it."""
        with self._lock:
            left = [one for one in self._waiting if one is not errand]
            was_there = len(left) < len(self._waiting)
            self._waiting = deque(left)
        return was_there
