"""The last rehearsal of a standby, and that its probe said no: kept over a restart until one says yes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from agent.core.errors import StoreFailed
from agent.core.ids import CommitNumber
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import PROBE_FAILED
from agent.core.standing import Rehearsed
from agent.fs.durable import write_durably

FILE = "rehearsed.json"


class LastRehearsal:
    """Of one dataset; ``home``: where its state lies. Any thread."""

    def __init__(self, dataset: str, home: Path, board: ProblemBoard) -> None:
        self._dataset = dataset
        self._path = home / FILE
        self._board = board
        self.last = _read(self._path)
        self.tell()

    def keep(self, found: Rehearsed) -> None:
        """It is durable, and shown from now on. Raises ``StoreFailed``."""
        try:
            write_durably(str(self._path), json.dumps(asdict(found)).encode() + b"\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreFailed(
                "keep a rehearsal's result", self._dataset, reason, "free space in the state directory"
            ) from error
        self.last = found
        self.tell()

    def tell(self) -> None:
        """Put on the board that the last probe said no, or take it away."""
        self._board.clear(PROBE_FAILED)
        found = self.last
        if found is None or found.ok:
            return
        last = found.output.rstrip().rpartition("\n")[2]
        said = f"; it said: {last}" if last else ""
        message = f"the last rehearsal's probe failed: {found.reason}{said}"
        remedy = f"mend what it found, and: hikae rehearse {self._dataset}"
        self._board.put(Problem(PROBE_FAILED, Severity.ERROR, found.time, b"", message, remedy))


def _read(path: Path) -> Rehearsed | None:
    """A file that is gone or cannot be read says nothing."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text())
        return Rehearsed(
            int(kept["time"]),
            bool(kept["ok"]),
            CommitNumber(int(kept["commit"])),
            int(kept["rto_ms"]),
            None if kept["exit"] is None else int(kept["exit"]),
            str(kept["output"]),
            str(kept["reason"]),
        )
    return None
