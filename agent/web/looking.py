"""The published state as the second process sees it: parsed once for each time that it was written, and with its age."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from agent.status.public import FULL, PUBLIC
from agent.status.published import SCHEMA, Json
from agent.status.reading import FRESH_SECONDS

#: A state that is older, in seconds, is that of an agent that is dead or hangs: 503.
HEALTH_TTL = FRESH_SECONDS
#: Larger than any state; a file that is not ours must not fill the memory.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class StateLook:
    """What stands published. ``value``: None where there is none that can be read; ``age``: seconds since the agent said that it
    is so, infinite for none; ``ttl``: how old it may be; ``stood``: seconds for which it has been said unchanged."""

    value: Json | None
    age: float
    ttl: float = HEALTH_TTL
    stood: float = 0.0

    @property
    def fresh(self) -> Json | None:
        """The value, unless it is too old to be acted on."""
        return self.value if self.age <= self.ttl else None


class StatePlace:
    """The directory that the agent publishes in, found by its path, which may be made anew, or, where the way there is barred
    since this process gave its privileges away, by what it was before. Make it while they are there."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._before: int | None = None
        with suppress(OSError):
            self._before = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def stat(self, name: str) -> os.stat_result:
        """Of a file in it. Raises ``OSError``."""
        try:
            return os.stat(os.path.join(self._directory, name))
        except PermissionError:
            return os.stat(name, dir_fd=self._before)

    def open(self, name: str) -> int:
        """A descriptor to read a file in it. Raises ``OSError``."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(os.path.join(self._directory, name), flags)
        except PermissionError:
            return os.open(name, flags, dir_fd=self._before)


class StateFile:
    """One file that the agent replaces when something changed, and touches when nothing did. :meth:`look` costs one ``stat``
    while it is the same file."""

    def __init__(
        self, place: StatePlace, name: str, now: Callable[[], float] = time.time, ttl: float = HEALTH_TTL
    ) -> None:
        self._place = place
        self._name = name
        self._now = now
        self._ttl = ttl
        self._inode = 0
        self._value: Json | None = None

    def look(self) -> StateLook:
        """What it says now. A file that is missing, unreadable, torn or of another release is no state."""
        try:
            found = self._place.stat(self._name)
            if found.st_ino != self._inode or self._value is None:
                self._value, found = _read(self._place, self._name)
                self._inode = found.st_ino
        except (OSError, ValueError):
            self._value = None
            return StateLook(None, float("inf"), self._ttl)
        stood = found.st_mtime - self._value.get("written", found.st_mtime_ns) / 1e9
        return StateLook(self._value, self._age(found.st_mtime), self._ttl, max(0.0, stood))

    def _age(self, said: float) -> float:
        """Seconds since the agent said it. Where that is to come, the clock went back, and an agent that lives says it anew
        within a second: what is far ahead is of one that does not."""
        age = self._now() - said
        return max(0.0, age) if age >= -self._ttl else float("inf")


class Published:
    """Both files of a directory: ``public`` for anybody who asks, ``full`` for who has shown that he may."""

    def __init__(self, place: StatePlace, now: Callable[[], float] = time.time, ttl: float = HEALTH_TTL) -> None:
        self._public = StateFile(place, PUBLIC, now, ttl)
        self._full = StateFile(place, FULL, now, ttl)

    def public(self) -> StateLook:
        """Counts and states, no path."""
        return self._public.look()

    def full(self) -> StateLook:
        """With paths, where this process may read them; else the public one."""
        found = self._full.look()
        return found if found.value is not None else self.public()


def _read(place: StatePlace, name: str) -> tuple[Json, os.stat_result]:
    """The value, and the file that it stood in. Raises ``OSError``, ``ValueError``."""
    with os.fdopen(place.open(name), "rb") as file:
        data = file.read(_MOST_BYTES + 1)
        found = os.fstat(file.fileno())
    if len(data) > _MOST_BYTES:
        raise ValueError("no state is so large")
    value = json.loads(data)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("datasets"), list):
        raise ValueError("no state of this program")
    return value, found
