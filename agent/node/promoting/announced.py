"""What the primary announced and did not arrive: the loss, if it never comes back. Kept over a crash of this node's agent.

A word replaces the one before. A path that it does not name any more is in a commit up to the number that it says, and is kept
until that is durable here: so an arrival, and nothing else, takes a path away. Bounded, whatever a primary says (law 9): beyond
the bound paths are counted.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import structlog

from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber
from agent.fs.durable import write_durably
from agent.roles.gates import LastWord
from agent.status.promotion import LossFacts
from agent.stream.messages import Announce

FILE = "announced.json"
#: Paths that are kept, and bytes of these; of more there is a count.
PATHS_KEPT, BYTES_KEPT = 16_384, 4 << 20
#: Seconds between two times that paths are made durable, and between two that only the time of the last word is written.
_DURABLY, _PLAINLY = 5.0, 1.0
_SECOND = 10**9
_NOT_KNOWN = (1 << 63) - 1
_log = structlog.get_logger("node")


class Announced:
    """Of one standby. :meth:`heard` and :meth:`arrived` by the call's thread, the rest by any. ``primary``: whose words count."""

    def __init__(self, home: Path, primary: str, clock: Clock) -> None:
        self._path = home / FILE
        self._primary = primary
        self._clock = clock
        self._lock = threading.Lock()
        self._named: dict[bytes, int] = {}
        #: Not named any more, and in a commit up to that number, which has not come.
        self._leaving: dict[bytes, tuple[int, CommitNumber]] = {}
        self._bytes = 0
        self._uncounted = 0
        self._durable = NOTHING
        #: All that was written before that moment (UTC ns, by this node's clock) is here.
        self._covered: int | None = None
        self.word: LastWord | None = None
        self._changed = False
        self._written_at = -_DURABLY

    def open(self) -> None:
        """Take up what was kept. What is not there, of another primary, or torn says nothing."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._path.read_text())
            if kept["primary"] != self._primary:
                return
            at, lag = int(kept["at"]), kept["lag"]
            self._covered = int(kept["covered"]) if kept["covered"] is not None else None
            self._uncounted = int(kept["more"])
            for path, size, number in kept["paths"][:PATHS_KEPT]:
                self._leaving[bytes.fromhex(path)] = int(size), CommitNumber(int(number))
            self._bytes = sum(map(len, self._leaving))
            self.word = LastWord(at, float(lag) if lag is not None else None)

    def heard(self, word: Announce) -> None:
        """A word of the primary."""
        now = self._clock.now_ns()
        with self._lock:
            for path, size in self._named.items():
                if path not in self._leaving:
                    self._leaving[path] = size, word.number
            self._named = dict(zip(word.paths, word.sizes or (0,) * len(word.paths), strict=True))
            # What it does not name is in a commit up to that number, however high one it said before.
            self._leaving = {
                path: (size, min(number, word.number))
                for path, (size, number) in self._leaving.items()
                if path not in self._named
            }
            # Beside what is listed here, so many wait there; of what left unnamed nothing is known but that it was announced.
            self._uncounted = max(0, word.count - len(self._named))
            self._let_go()
            self._covered = now - int(word.age * _SECOND) if word.age is not None else None
            self.word = LastWord(now, word.lag)
            self._changed = True

    def arrived(self, number: CommitNumber) -> None:
        """All up to a commit is durable here."""
        with self._lock:
            self._durable = number
            if self._leaving:
                self._let_go()
                self._changed = True

    def _let_go(self) -> None:
        """Of what left, what has come; and what is too much."""
        self._leaving = {path: one for path, one in self._leaving.items() if one[1] > self._durable}
        size = sum(map(len, self._leaving)) + sum(map(len, self._named))
        while self._leaving and (len(self._leaving) + len(self._named) > PATHS_KEPT or size > BYTES_KEPT):
            path = next(iter(self._leaving))
            del self._leaving[path]
            size -= len(path)
            self._uncounted += 1
        self._bytes = size

    def loss(self) -> LossFacts:
        """What would be lost if the primary never came back."""
        with self._lock:
            paths = {path: size for path, (size, _) in self._leaving.items()} | self._named
            covered, more = self._covered, self._uncounted
        seconds = None if covered is None else max(0.0, (self._clock.now_ns() - covered) / _SECOND)
        listed = tuple(sorted(paths.items()))
        rounded = None if seconds is None else round(seconds, 3)
        return LossFacts(listed, len(listed) + more, sum(paths.values()), rounded)

    def tick(self) -> None:
        """Once a second: keep what is new. Paths are durable within some seconds; a later moment of the last word need only
        outlive this process."""
        now = self._clock.monotonic()
        with self._lock:
            named = bool(self._named or self._leaving)
            due = now - self._written_at >= (_DURABLY if named else _PLAINLY)
        if due:
            self.keep()

    def keep(self) -> None:
        """Keep what is new now: the dataset is closed, or it is time."""
        with self._lock:
            if not self._changed:
                return
            self._changed, self._written_at = False, self._clock.monotonic()
            kept, named = self._as_kept(), bool(self._named or self._leaving)
        try:
            if named:
                write_durably(str(self._path), kept)
            else:
                _write_plainly(self._path, kept)
        except OSError as error:
            _log.warning("what the primary announced is not kept", path=str(self._path), reason=str(error))

    def _as_kept(self) -> bytes:
        word = self.word
        # Until the primary says another word nobody knows in which commit that is.
        paths = [(path.hex(), size, _NOT_KNOWN) for path, size in self._named.items()]
        paths += [(path.hex(), size, number) for path, (size, number) in self._leaving.items()]
        kept = {
            "primary": self._primary,
            "at": word.at if word is not None else 0,
            "lag": word.lag if word is not None else None,
            "covered": self._covered,
            "more": self._uncounted,
            "paths": paths,
        }
        return json.dumps(kept).encode() + b"\n"


def _write_plainly(path: Path, data: bytes) -> None:
    """Replace a file, without waiting for a disk."""
    new = path.with_suffix(".plain")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=_for_us_alone) as file:
        file.write(data)
    os.replace(new, path)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
