"""Barriers in an inotify queue that need no file: a watch is set on a file in memory and taken away again, and what the kernel
queues about that stands behind every event from before.

The file has no name anywhere, so no tree can hold it, and nothing is written where nothing may be.
"""

from __future__ import annotations

import ctypes
import os
import threading

from watchdog.observers.inotify_c import WatchDescriptor, inotify_add_watch, inotify_rm_watch

_ATTRIB = 0x4


class Barriers:
    """Those of one inotify descriptor. ``set`` may be called by any thread, ``met`` and ``passed`` by the one that reads.

    What nobody waits for any more is kept until its event came; that is soon."""

    def __init__(self, inotify_fd: int) -> None:
        self._fd = inotify_fd
        self._lock = threading.Lock()
        self._waiting: dict[int, threading.Event] = {}
        self._met: list[threading.Event] = []
        self._ended = False

    def set(self) -> threading.Event:
        """Set when everything queued before this call was dealt with, or at the end. OSError: no watch can be had."""
        done = threading.Event()
        memory = os.memfd_create("hikae-barrier")
        try:
            with self._lock:
                if self._ended:
                    done.set()
                    return done
                watch = _checked(inotify_add_watch(self._fd, b"/proc/self/fd/%d" % memory, _ATTRIB))
                self._waiting[watch] = done
                _checked(inotify_rm_watch(self._fd, WatchDescriptor(watch)))
        finally:
            os.close(memory)
        return done

    def met(self, watch: int) -> bool:
        """The kernel has ended a watch; whether it was a barrier's."""
        with self._lock:
            done = self._waiting.pop(watch, None)
            if done is not None:
                self._met.append(done)
        return done is not None

    def met_all(self) -> None:
        """Events were lost, perhaps a barrier's; what takes their place covers all that was set before."""
        with self._lock:
            self._met += self._waiting.values()
            self._waiting.clear()

    def passed(self) -> None:
        """What was read has been given out."""
        with self._lock:
            met, self._met = self._met, []
        for done in met:
            done.set()

    def end(self) -> None:
        """Nothing more will be read."""
        with self._lock:
            self._ended = True
        self.met_all()
        self.passed()


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
