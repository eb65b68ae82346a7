"""The threads that serve calls: made when they are needed, at most as many as calls may be open now."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Workers(Executor):
    """At most ``most`` threads at once; what is too much waits its turn. :meth:`allow` changes that while they work, which no
    pool of the standard library can. Any thread."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._condition = threading.Condition()
        self._todo: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._shut = False

    def allow(self, most: int) -> None:
        """From now on so many. Threads that are there stay."""
        with self._condition:
            self._most = most
            while self._is_short():
                self._add_thread()

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:  # Any: as ``Executor`` has it
        """See ``Executor``."""
        future: Future[Any] = Future()
        with self._condition:
            if self._shut:
                raise RuntimeError("calls are served no more")
            self._todo.append(lambda: _settle(future, lambda: fn(*args, **kwargs)))
            if self._is_short():
                self._add_thread()
            self._condition.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See ``Executor``; what was submitted is done first."""
        with self._condition:
            self._shut = True
            if cancel_futures:
                self._todo.clear()
            self._condition.notify_all()
        for thread in self._threads if wait else ():
            thread.join()

    def _is_short(self) -> bool:
        return len(self._todo) > self._idle and len(self._threads) < self._most

    def _add_thread(self) -> None:
        """It counts as idle at once, so that a burst does not make more of them than it has calls."""
        thread = threading.Thread(target=self._work, name=f"{self._name}_{len(self._threads)}")
        self._threads.append(thread)
        self._idle += 1
        thread.start()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._todo or self._shut)
                if not self._todo:
                    return
                todo = self._todo.popleft()
                self._idle -= 1
            todo()
            with self._condition:
                self._idle += 1


def _settle(future: Future[Any], act: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = act()
    except BaseException as error:  # noqa: BLE001  whoever asked for the result is told
        future.set_exception(error)
    else:
        future.set_result(result)
