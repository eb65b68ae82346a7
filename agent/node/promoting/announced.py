"""What the primary announced and did not arrive: the loss, if it never comes back. Kept over a crash of this node's agent.

A word replaces the one before. A path that it does not name any more is in a commit up to the number that it says, and is kept
until that is durable here: so an arrival, and nothing else, takes a path away. Bounded, whatever a primary says (law 9): beyond
the bound paths are counted.

Two files. The one is durable, seconds late. The other is replaced as soon as a path is named that was not, without waiting for a
disk: it outlives this process, however that ends. After a power cut it may be torn, or older; then the durable one says what it
knows, and the window is counted from its word, so what was announced since is within that.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber
from agent.fs.durable import write_durably
from agent.roles.gates import LastWord
from agent.status.promotion import LossFacts
from agent.stream.messages import Announce

FILE, AT_ONCE = "announced.json", "announced.at-once.json"
#: Paths that are kept, and bytes of these; of more there is a count.
PATHS_KEPT, BYTES_KEPT = 16_384, 4 << 20
#: Seconds between two times that paths are made durable, and between two that only the time of the last word is written.
_DURABLY, _PLAINLY = 5.0, 1.0
#: What is new is written at once, on the average once in so many seconds, or so many times as long as writing takes; so many may
#: come together. An honest primary speaks twice a second at most, and another one is not to keep a disk busy: the next second
#: keeps what is left.
_SOON, _SHARE, _TOGETHER = 0.25, 10, 8
_SECOND = 10**9
_NOT_KNOWN = (1 << 63) - 1
_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class _Kept:
    """One file: ``more`` paths are counted beside those that are named, each with its size and the commit that brings it."""

    turn: int
    primary: str
    word: LastWord
    covered: int | None
    more: int
    paths: tuple[tuple[bytes, tuple[int, CommitNumber]], ...]


class Announced:
    """Of one standby. :meth:`heard` and :meth:`arrived` by the call's thread, the rest by any. ``primary``: whose words count."""

    def __init__(self, home: Path, primary: str, clock: Clock) -> None:
        self._path = home / FILE
        self._at_once = home / AT_ONCE
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
        #: Whether anything was heard since a file was written, and since the durable one was.
        self._changed = self._undurable = False
        #: Whether the durable file names paths, which it does until it is written again.
        self._durable_names = False
        self._durable_at, self._plain_at = -_DURABLY, -_PLAINLY
        self._spared_at, self._spared = 0.0, float(_TOGETHER)
        #: Each file is of a later turn than all before it: which is the newer one, whatever a clock says.
        self._turn = 0

    def open(self) -> None:
        """Take up what was kept. What is not there, of another primary, or torn says nothing."""
        durable, at_once = _kept_in(self._path), _kept_in(self._at_once)
        self._durable_names = durable is not None and bool(durable.paths)
        kept = max((one for one in (durable, at_once) if one is not None), key=lambda one: one.turn, default=None)
        if kept is None:
            return
        self._turn = kept.turn
        if kept.primary != self._primary:
            return
        self._covered, self._uncounted, self.word = kept.covered, kept.more, kept.word
        self._leaving = dict(kept.paths)
        self._bytes = sum(map(len, self._leaving))

    def heard(self, word: Announce) -> None:
        """A word of the primary. What it names for the first time is kept before anybody is told of it."""
        now = self._clock.now_ns()
        with self._lock:
            before = self._uncounted
            news = any(path not in self._named and path not in self._leaving for path in word.paths)
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
            self._changed = self._undurable = True
            if (news or self._uncounted > before) and self._may_write():
                self._spared -= self._write_at_once()

    def arrived(self, number: CommitNumber) -> None:
        """All up to a commit is durable here."""
        with self._lock:
            self._durable = number
            if self._leaving:
                self._let_go()
                self._changed = self._undurable = True

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
            named = bool(self._named or self._leaving) or self._durable_names
            durably = self._undurable and named and now - self._durable_at >= _DURABLY
            plainly = self._changed and not durably and now - self._plain_at >= _PLAINLY
            if plainly:
                self._write_at_once()
        if durably:
            self.keep()

    def keep(self) -> None:
        """Keep what is new now, durably: the dataset is closed, or it is time."""
        with self._lock:
            if not self._undurable:
                return
            self._changed = self._undurable = False
            self._durable_at = self._plain_at = self._clock.monotonic()
            kept, self._durable_names = self._as_kept(), bool(self._named or self._leaving)
        try:
            write_durably(str(self._path), kept)
        except OSError as error:
            with self._lock:
                self._undurable = self._durable_names = True
            self._not_kept(error)

    def _may_write(self) -> bool:
        now = self._clock.monotonic()
        self._spared = min(float(_TOGETHER), self._spared + (now - self._spared_at) / _SOON)
        self._spared_at = now
        return self._spared >= 1

    def _write_at_once(self) -> float:
        """How many of those that may come together it was worth. Under the lock: nobody is told of a path that an end of this
        process takes away."""
        began, self._changed = self._clock.monotonic(), False
        self._plain_at = began
        try:
            _write_plainly(self._at_once, self._as_kept())
        except OSError as error:
            self._changed = True
            self._not_kept(error)
        return max(1.0, _SHARE * (self._clock.monotonic() - began) / _SOON)

    def _not_kept(self, error: OSError) -> None:
        _log.warning("what the primary announced is not kept", path=str(self._path), reason=str(error))

    def _as_kept(self) -> bytes:
        word = self.word
        self._turn += 1
        # Until the primary says another word nobody knows in which commit that is.
        paths = [(path.hex(), size, _NOT_KNOWN) for path, size in self._named.items()]
        paths += [(path.hex(), size, number) for path, (size, number) in self._leaving.items()]
        kept = {
            "primary": self._primary,
            "turn": self._turn,
            "at": word.at if word is not None else 0,
            "lag": word.lag if word is not None else None,
            "covered": self._covered,
            "more": self._uncounted,
            "paths": paths,
        }
        return json.dumps(kept).encode() + b"\n"


def _kept_in(path: Path) -> _Kept | None:
    """None for a file that is not there, or torn."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(path.read_text())
        lag, covered = kept["lag"], kept["covered"]
        return _Kept(
            int(kept.get("turn", 0)),
            str(kept["primary"]),
            LastWord(int(kept["at"]), float(lag) if lag is not None else None),
            int(covered) if covered is not None else None,
            int(kept["more"]),
            tuple(
                (bytes.fromhex(name), (int(size), CommitNumber(int(number))))
                for name, size, number in kept["paths"][:PATHS_KEPT]
            ),
        )
    return None


def _write_plainly(path: Path, data: bytes) -> None:
    """Replace a file, without waiting for a disk."""
    new = path.with_suffix(".plain")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=_for_us_alone) as file:
        file.write(data)
    os.replace(new, path)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
