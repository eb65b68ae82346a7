"""The last verify of a standby, and that one found differences: kept over a restart until one finds none."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from agent.core.errors import HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import VERIFY_DIFFERENCES
from agent.core.standing import Verified
from agent.fs.durable import write_durably

FILE = "verified.json"
_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class VerifyFound:
    """A verify that found differences. ``kinds``: ``"2 content, 1 mode"``; it is told without names: who may see status need not
    see into every directory."""

    verified: Verified
    kinds: str


class Verifies:
    """Of one dataset; ``home``: where its state lies. What was found by reading content is refuted only by reading content.

    Any thread."""

    def __init__(self, dataset: str, home: Path, board: ProblemBoard) -> None:
        self.last: Verified | None = None
        #: When this node began to keep the standby, UTC ns; 0 before it did.
        self.began = 0
        self._lock = threading.Lock()
        self._dataset = dataset
        self._path = home / FILE
        self._board = board
        self._found: VerifyFound | None = None

    def open(self) -> None:
        """Take up what an earlier run of the agent found. A file that is gone or cannot be read says nothing."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = json.loads(self._path.read_text())
            self.began = _moment(kept.get("began", 0))
            self.last = _verified(kept["last"]) if kept["last"] is not None else None
            if kept["found"] is not None:
                self._found = VerifyFound(_verified(kept["found"]["verified"]), str(kept["found"]["kinds"]))
        self.tell()

    def begin(self, now_ns: int) -> None:
        """A standby is kept here. The first time counts, also over restarts: what was never verified is so since then."""
        with self._lock:
            if not self.began:
                self.began = now_ns
                self._keep()

    def begin_anew(self, now_ns: int) -> None:
        """Another directory is the standby from now on: what was found of the one before says nothing of it."""
        with self._lock:
            self.last, self._found, self.began = None, None, now_ns
            self.tell()
            self._keep()

    def ended(self, verified: Verified, whats: Sequence[str]) -> None:
        """A verify came to its end; ``whats``: the kind of each difference, as far as they are listed."""
        with self._lock:
            self._take(verified, whats)

    def _take(self, verified: Verified, whats: Sequence[str]) -> None:
        self.last = verified
        if not verified.equal:
            self._found = VerifyFound(verified, _kinds(verified.differences, whats))
            _log.error("verify found differences", dataset=self._dataset, differences=self._found.kinds)
        elif self._found is not None and (verified.deep or not self._found.verified.deep):
            self._found = None
            _log.info("verify finds no difference any more", dataset=self._dataset)
        self.tell()
        self._keep()

    def tell(self) -> None:
        """Put what was found last on the board, or take it away."""
        found = self._found
        if found is None:
            self._board.clear(VERIFY_DIFFERENCES)
            return
        name, deep = self._dataset, " --deep" if found.verified.deep else ""
        message = f"verify{deep} found that the standby is not what its commit says: {found.kinds}"
        remedy = f"hikae verify {name}{deep} --repair mends it; hikae verify {name}{deep} lists it, and ends this if all is well"
        self._board.clear(VERIFY_DIFFERENCES)
        self._board.put(Problem(VERIFY_DIFFERENCES, Severity.ERROR, found.verified.time, b"", message, remedy))

    def _keep(self) -> None:
        found = self._found
        kept = {
            "began": self.began,
            "last": asdict(self.last) if self.last is not None else None,
            "found": asdict(found) if found is not None else None,
        }
        try:
            write_durably(str(self._path), json.dumps(kept).encode() + b"\n")
        except (OSError, HikaeError) as error:
            _log.error("the result of the verify is not kept", dataset=self._dataset, reason=str(error))


def _kinds(count: int, whats: Sequence[str]) -> str:
    counted = Counter(what.split(":")[0] for what in whats)
    named = ", ".join(f"{number:,} × {what}" for what, number in counted.most_common(4))
    return f"{count:,} difference{'' if count == 1 else 's'} ({named})"


def _moment(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError(value)
    return value


def _verified(kept: dict[str, object]) -> Verified:
    time, differences = kept["time"], kept["differences"]
    if not isinstance(time, int) or not isinstance(differences, int):
        raise ValueError(kept)
    return Verified(time, bool(kept["equal"]), bool(kept["deep"]), differences)
