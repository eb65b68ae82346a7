"""All changes of role of one dataset on this node, oldest first: ``roles.jsonl``, one JSON object a line, durable, bounded.

A line that a power cut tore is passed over. When the file has grown over its bound, of its older half goes what nobody typed:
another node can have this one meet one epoch after the other, and must not push out with that who did what.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from agent.core.ids import CommitNumber
from agent.fs.durable import write_durably
from agent.status.figures import stamp
from agent.status.published import number_json

ROLES = "roles.jsonl"
#: Bytes of the file: thousands of changes.
MOST = 1 << 20
#: So many paths of what a change left behind are kept with it.
LOST = 100
#: Characters of each text of a change: another node may have said it.
WORDS = 1024
_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class RoleChange:
    """One change. ``time``: when it was begun (UTC ns); ``kind``: the command, or what happened (``began``, ``fenced``, …);
    ``before`` and ``after``: this node's role, "" for none; ``commit``: the one from which it began, 0 for none: the newest one
    before the change, of a promotion the one that was to be served, of a rejoin what this node kept of its own or returned to;
    of what no command did the newest one when it was seen.

    ``uid``: of who typed it, None where nobody did, or it was typed elsewhere; ``by``: who that is, for people, and where it was
    typed elsewhere what that node says (``alpha says: …``), as then are the other words; ``lost``: paths, the first, and
    ``lost_sizes`` in bytes where they are known; ``steps``: ``{"name", "ms", "result"}``; ``failed``: why it did not come to its
    end, "" where it did."""

    time: int
    kind: str
    before: str
    after: str
    epoch: int
    commit: int = 0
    uid: int | None = None
    by: str = ""
    reason: str = ""
    approved_by: str = ""
    lost: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()  # Any: JSON is a foreign edge
    failed: str = ""
    lost_sizes: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As ``hikae roles --json`` has it."""
        return {
            "time": stamp(self.time),
            "kind": self.kind,
            "from": self.before,
            "to": self.after,
            "epoch": self.epoch,
            "commit": number_json(CommitNumber(self.commit)) if self.commit else None,
            "uid": self.uid,
            "by": self.by,
            "reason": self.reason,
            "approved_by": self.approved_by,
            "lost": list(self.lost),
            "lost_sizes": list(self.lost_sizes),
            "steps": list(self.steps),
            "failed": self.failed,
        }


class RoleJournal:
    """Any thread. ``newest``: the last change, None before any."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path = path
        self._most = most
        self._lock = threading.Lock()
        self._newest: RoleChange | None = None
        self._read = False

    @property
    def newest(self) -> RoleChange | None:
        """Raises ``OSError`` where it cannot be read."""
        with self._lock:
            return self._last()

    def changes(self) -> list[RoleChange]:
        """All that is kept. Raises ``OSError``."""
        with self._lock:
            return self._changes()

    def add(self, change: RoleChange) -> None:
        """Keep it, durably; one that was kept before, begun at that time, is kept once. What cannot be kept is logged: a
        role changes although the disk is full."""
        with self._lock:
            try:
                last = self._last()
                if last is None or (last.time, last.kind) != (change.time, change.kind):
                    words = {name: getattr(change, name)[:WORDS] for name in ("by", "reason", "approved_by", "failed")}
                    self._append(replace(change, lost=change.lost[:LOST], lost_sizes=change.lost_sizes[:LOST], **words))
            except OSError as error:
                _log.error("a change of role is not in the journal", kind=change.kind, reason=str(error))

    def observe(self, role: str, epoch: int, commit: Callable[[], int], now_ns: int) -> None:
        """What this node is now; a change that no command made is kept."""
        with self._lock:
            try:
                last = self._last()
                if last is None or (last.after, last.epoch) != (role, epoch):
                    before = last.after if last is not None else ""
                    self._append(RoleChange(now_ns, kind_of(before, role), before, role, epoch, commit()))
            except OSError as error:
                _log.error("a change of role is not in the journal", role=role, reason=str(error))

    def _last(self) -> RoleChange | None:
        if not self._read:
            known = self._changes()
            self._newest, self._read = known[-1] if known else None, True
        return self._newest

    def _changes(self) -> list[RoleChange]:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [one for one in map(_change_in, lines) if one is not None]

    def _append(self, change: RoleChange) -> None:
        # A line of its own whatever a power cut left before it.
        line = b"\n" + _line(change)
        if self._path.exists() and self._path.stat().st_size + len(line) > self._most:
            kept = _older_gone(self._changes(), self._most // 4)
            write_durably(str(self._path), b"".join(map(_line, kept)))
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, line)
            os.fsync(fd)
        finally:
            os.close(fd)
        self._newest, self._read = change, True


def _line(change: RoleChange) -> bytes:
    return json.dumps(asdict(change)).encode() + b"\n"


def _older_gone(changes: list[RoleChange], most: int) -> list[RoleChange]:
    """The newer half, and of the older one what was typed, the newest of it in so many bytes."""
    half = len(changes) // 2
    typed, size = list[RoleChange](), 0
    for one in reversed(changes[:half]):
        if one.by and (size := size + len(_line(one))) <= most:
            typed.append(one)
    return [*reversed(typed), *changes[half:]]


def kind_of(before: str, after: str) -> str:
    """What a change is called that no command made. Pure."""
    if after in ("fenced", "rewound"):
        return after
    if not before:
        return "began"
    if after == "standby":
        return "follows"
    return "epoch" if before == after else "serves"


def _change_in(line: bytes) -> RoleChange | None:
    """None for a line that is torn, or that nobody wrote."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        found = json.loads(line)
        uid = found.get("uid")
        return RoleChange(
            int(found["time"]),
            str(found["kind"]),
            str(found["before"]),
            str(found["after"]),
            int(found["epoch"]),
            int(found.get("commit", 0)),
            int(uid) if uid is not None else None,
            str(found.get("by", "")),
            str(found.get("reason", "")),
            str(found.get("approved_by", "")),
            tuple(map(str, found.get("lost", ()))),
            tuple(dict(one) for one in found.get("steps", ())),
            str(found.get("failed", "")),
            tuple(map(int, found.get("lost_sizes", ()))),
        )
    return None
