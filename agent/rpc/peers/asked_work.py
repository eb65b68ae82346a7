"""One operation that another node asked for, in a thread of its own, and what its caller hears meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog

from agent.core.errors import HikaeError, TryAgain
from agent.core.forwarded import Told

_log = structlog.get_logger("rpc")
_BUG = ("finish the call", "", "this is a bug in hikae", "see the agent's log on that node")


class AskedWork:
    """``act(told)`` is begun on entering, and told to end and waited for on leaving. ``result`` and ``failure`` stand once
    :meth:`done` says so."""

    def __init__(self, name: str, act: Callable[[Told], object]) -> None:
        self.result: object = None
        self.failure: HikaeError | None = None
        self._act = act
        self._condition = threading.Condition()
        self._newest: dict[str, Any] | None = None  # Any: JSON
        self._gone = self._ended = False
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self) -> AskedWork:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.leave()
        self._thread.join()

    def leave(self) -> None:
        """Nobody waits for it any more: its next word of progress ends it. Does not wait."""
        with self._condition:
            self._gone = True
            self._condition.notify_all()

    def done(self, within: float) -> bool:
        """Whether it has ended, or nobody waits any more; waits so many seconds for that."""
        with self._condition:
            return self._condition.wait_for(lambda: self._ended or self._gone, within)

    def newest(self) -> dict[str, Any] | None:
        """The newest word of progress that was not asked for yet."""
        with self._condition:
            newest, self._newest = self._newest, None
            return newest

    def _told(self, progress: dict[str, Any]) -> None:
        with self._condition:
            if self._gone:
                raise ConnectionAbortedError("the caller of this request has gone")
            self._newest = progress

    def _run(self) -> None:
        try:
            self.result = self._act(self._told)
        except HikaeError as error:
            self.failure = error
        except ConnectionError:
            self.failure = TryAgain("finish the call", "", "the node stops, or the caller has gone")
        except Exception:  # noqa: BLE001  whatever was asked, there is an answer
            _log.exception("a call of a peer failed")
            self.failure = HikaeError(*_BUG)
        with self._condition:
            self._ended = True
            self._condition.notify_all()
