"""What the agent's loop is asked for from outside: by signals, and by a thread that died."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import structlog

_log = structlog.get_logger("node")


class AgentSignals:
    """Signals and dead threads set what the loop of the main thread looks at.

    ``stopping``: the loop is to end; ``is_broken``: it ends because a thread met a bug, so that the service manager starts the
    agent again."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.is_broken = False
        self._is_hung_up = False

    def listen(self) -> None:
        """From now on SIGTERM, SIGINT, SIGHUP and exceptions of threads are noted here. Called by the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        threading.excepthook = self._died

    def take_reload(self) -> bool:
        """Whether SIGHUP came since this was last asked."""
        if not self._is_hung_up:
            # Nothing is written here, or a signal between the look and the write would be lost.
            return False
        self._is_hung_up = False
        return True

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping.set()

    def _hang_up(self, _number: int, _frame: FrameType | None) -> None:
        self._is_hung_up = True

    def _died(self, args: threading.ExceptHookArgs) -> None:
        """A thread that is gone must not be missed in silence."""
        name = args.thread.name if args.thread is not None else "?"
        _log.error("a thread met a bug; the agent ends", thread=name, exc_info=args.exc_value)
        self.is_broken = True
        self.stopping.set()
