"""The agent ends when it is told to, always: what does not come to its end in time is left where it stands, as by a crash.

Laws 1 to 3 make that safe: what was not durable is asked for again, and the standby is compared from its checkpoint on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import structlog

from agent.core.errors import Exit

#: Seconds from the signal to the end, whatever goes on. Everything that takes long looks for the end itself, and earlier.
STOP_WITHIN = 20.0
_log = structlog.get_logger("node")


class LastResort:
    """Ends the process ``within`` seconds after the first SIGTERM or SIGINT, unless :meth:`close` comes first.

    The kernel's signal is seen in a thread of its own, by a pipe: the main thread may be inside a call that lasts."""

    def __init__(self, within: float = STOP_WITHIN, leave: Callable[[int], None] = os._exit) -> None:
        self._within = within
        self._leave = leave
        self._done = threading.Event()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._thread = threading.Thread(target=self._watch, name="hikae-last-resort", daemon=True)

    def start(self) -> None:
        """Called by the main thread, before the handlers of the signals are set."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread.start()

    def close(self) -> None:
        """All has come to its end."""
        self._done.set()
        signal.set_wakeup_fd(-1)
        os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _watch(self) -> None:
        while not self._done.is_set():
            if not {signal.SIGTERM, signal.SIGINT}.isdisjoint(os.read(self._read, 64)):
                break
        if not self._done.wait(self._within):
            waits = sorted(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
            _log.error("the agent did not come to its end in time and leaves as it is; nothing is lost", threads=waits)
            self._leave(Exit.FAILED)
