"""The thread that publishes the state: two JSON files, at every change and at least each second.

``state.json`` is for everybody and holds counts; ``state-full.json`` is for root and the group ``hikae``, with paths.
"""

from __future__ import annotations

import grp
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import structlog

from agent.core.clock import Clock
from agent.status.events import Event, EventLog, Unnamed, events_between
from agent.status.facts import NodeFacts
from agent.status.figures import stamp
from agent.status.promotion import without_ages
from agent.status.public import FULL, public_json
from agent.status.published import Json, status_json
from agent.status.repeats import Repeats

#: Who may read the second one, where there is such a group.
GROUP = "hikae"
_log = structlog.get_logger("status")


class Publisher:
    """Derives the published value from the node's facts, writes it, and tells its changes to the event log.

    ``facts`` is called in this thread and must not block for long: a value older than some seconds is taken for a dead
    agent.
    ``path``: of ``state.json`` (0644); ``state-full.json`` (0640) lies beside it. Both are replaced atomically, in a directory
    that exists. Changes closer together than ``gap`` seconds are published together; commits and positions, which move all
    the time, those of ``lull`` seconds."""

    def __init__(
        self,
        path: str,
        facts: Callable[[], NodeFacts],
        events: EventLog,
        clock: Clock,
        *,
        interval: float = 1.0,
        gap: float = 0.05,
        lull: float = 0.25,
    ) -> None:
        self._path = path
        self._full = os.path.join(os.path.dirname(path), FULL)
        self._facts = facts
        self._events = events
        self._clock = clock
        self._interval = interval
        self._gap = gap
        self._lull = lull
        self._changed = threading.Event()
        #: Set with the one above too: anything changed.
        self._stirred = threading.Event()
        self._stopped = threading.Event()
        self._publishing = threading.Lock()
        self._last: Json | None = None
        self._said: Json | None = None
        self._repeats = Repeats()
        self._unnamed: Unnamed = set()
        self._trouble = ""
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="publish")

    def start(self) -> None:
        """Publish once, then keep publishing from a thread."""
        self.publish()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. The file stays: who reads it goes by its age, so that a restart drops no backend."""
        self._stopped.set()
        self.changed()
        if self._thread.ident is not None:
            self._thread.join()

    def leaving(self) -> None:
        """The agent stops: that is told once, and what it then closes itself is no event."""
        value = self.publish()
        with self._publishing:
            self._leaving = True
            roles = ", ".join(f"{one['name']} {one['role']}" for one in value["datasets"])
            words = f"hikae {value['version']} on {value['node']}" + (f"; it was: {roles}" if roles else "")
            self._events.add(value["clock"], [Event("", "agent-stopped", words)])

    def changed(self) -> None:
        """Something changed: publish soon. Any thread, cheap."""
        self._changed.set()
        self._stirred.set()

    def moved(self) -> None:
        """A commit or a position came, as they do all the time: publish within the lull. Any thread, cheaper still."""
        if not self._stirred.is_set():
            self._stirred.set()

    def publish(self) -> Json:
        """Publish now and return the value. A file that cannot be written is logged once, never raised."""
        with self._publishing:
            facts = self._facts()
            value = status_json(facts)
            if not self._leaving:
                happened = events_between(self._last, value, self._events.has, self._unnamed)
                self._events.add(stamp(facts.time_ns) or "", self._repeats.told(happened, self._clock.monotonic()))
            self._last = value
            self._tell(value)
            return value

    def latest(self) -> Json:
        """The value published last."""
        return self._last if self._last is not None else self.publish()

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self._stirred.wait(self._interval):
                self._changed.wait(self._lull)
            if self._stopped.wait(self._gap):
                return
            self._stirred.clear()
            self._changed.clear()
            try:
                self.publish()
            except Exception:  # noqa: BLE001  the next second may be better, and silence would look like death
                _log.exception("could not tell the state")

    def _tell(self, value: Json) -> None:
        """Write it, or, where only time has passed, say by the files' time that this is how it still stands."""
        said = _without_ticking(value)
        if said != self._said or not self._still_stands():
            self._said = said if self._write({**value, "written": self._clock.now_ns()}) else None

    def _still_stands(self) -> bool:
        try:
            os.utime(self._full)
            os.utime(self._path)
        except OSError:
            return False
        return True

    def _write(self, value: Json) -> bool:
        try:
            _put(self._full, value, 0o640, _group())
            _put(self._path, public_json(value), 0o644, None)
            self._trouble = ""
        except OSError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.error("could not publish the state", path=self._path, reason=str(error))
            return False
        return True


def _without_ticking(value: Json) -> Json:
    """The value without the clock, with free room in thousandths, and with the ages in a promotion's gates and loss to a power of
    two: none of these is worth writing the files anew each second."""
    disks = [{**disk, "free": disk["free"] * 1000 // max(disk["total"], 1)} for disk in value["disks"]]
    datasets = [{**one, "promotion": without_ages(one["promotion"])} for one in value["datasets"]]
    return {**value, "clock": "", "disks": disks, "datasets": datasets}


def _put(path: str, value: Json, mode: int, group: int | None) -> None:
    """Replace a file; nobody reads it before mode and group are as they must be."""
    temporary = f"{path}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        if group is not None:
            with suppress(PermissionError):
                os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
        file.write(json.dumps(value).encode())
    os.replace(temporary, path)


@cache
def _group() -> int | None:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None
