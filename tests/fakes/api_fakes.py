"""An agent that is not there: ``FakeControls``, and facts to derive a status from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.api.controls import Json, Level, Progress, What
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, commit_number
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import PROBLEM_CODES
from agent.status.facts import DatasetFacts, NodeFacts, PeerFacts, WatchFacts
from agent.status.published import status_json
from agent.status.state import Role

NOW = 1_795_320_900_000_000_000
MINUTE = 60_000_000_000


def a_problem(
    code: str = "unreadable", severity: Severity = Severity.WARNING, path: bytes = b"", **more: Any
) -> Problem:
    """A problem with a message and a remedy that name it."""
    values: dict[str, Any] = {"since": NOW - MINUTE, "message": f"{code} message", "remedy": f"{code} remedy"} | more
    return Problem(code=PROBLEM_CODES[code], severity=severity, path=path, **values)


def a_peer(**more: Any) -> PeerFacts:
    """``beta``, streaming, 21 ms behind."""
    peer = PeerFacts("beta", "0.1.0", True, "streaming", commit_number(3, 1842), commit_number(3, 1841), 0.021, 0, NOW)
    return replace(peer, **more)


def a_dataset(name: str = "web", **more: Any) -> DatasetFacts:
    """A dataset that streams from alpha to beta."""
    facts = DatasetFacts(
        name=name,
        kind="tree",
        group="shop",
        role=Role.PRIMARY,
        path=f"/srv/{name}",
        primary="alpha",
        standbys=("beta",),
        epoch=3,
        commit=Commit(commit_number(3, 1842), NOTHING, bytes(range(32)), NOW - 1, NOW - 1, True, 10, 1234),
        peers=(a_peer(),),
        watch=WatchFacts("fanotify", "", 17, 2, 0, NOW - 30 * MINUTE),
        since_ns=NOW - 5 * MINUTE,
    )
    return replace(facts, **more)


def a_node(*datasets: DatasetFacts, **more: Any) -> NodeFacts:
    """The node ``alpha`` with these datasets."""
    return replace(NodeFacts("alpha", "0.1.0", NOW, (), datasets), **more)


class FakeControls:
    """Answers as told and remembers what it was asked. ``failure`` is raised by every call; ``during`` is called with
    the progress of every long one."""

    def __init__(self, facts: NodeFacts | None = None) -> None:
        self.facts = facts or a_node(a_dataset())
        self.calls: list[tuple[object, ...]] = []
        self.failure: Exception | None = None
        self.during: Callable[[Progress], None] = lambda progress: progress({"phase": "fake", "done_entries": 1})
        self.equal = True
        self.rows: list[Json] = []
        self.taken: list[str] = []
        self.waiting: list[str] = []
        self.warnings: list[str] = []

    def status(self) -> Json:
        self._asked("status")
        return status_json(self.facts)

    def events(self, since: int, limit: int) -> list[Json]:
        self._asked("events", since, limit)
        return [row for row in self.rows if row["id"] > since][-limit:]

    def reload(self) -> Json:
        self._asked("reload")
        return {
            "files": ["/etc/hikae/agent.toml"],
            "taken": list(self.taken),
            "needs_restart": list(self.waiting),
            "warnings": list(self.warnings),
        }

    def wait(self, dataset: str, level: Level, timeout: float | None, progress: Progress) -> Json:
        self._asked("wait", dataset, level, timeout)
        self.during(progress)
        return {"dataset": dataset, "commit": {"epoch": 3, "seq": 1842}, "level": level, "seconds": 0.0121}

    def verify(self, dataset: str, deep: bool, progress: Progress, repair: bool = False) -> Json:
        self._asked("verify", dataset, deep, repair)
        self.during(progress)
        differences = [] if self.equal else [{"path": "a\x1b[2Jb", "what": "mode"}]
        return {
            "equal": self.equal,
            "checked_entries": 12,
            "checked_bytes": 3456,
            "differences": differences,
            "repaired": 2 if repair else 0,
        }

    def reconcile(self, dataset: str, progress: Progress) -> Json:
        self._asked("reconcile", dataset)
        self.during(progress)
        return {"dataset": dataset, "commit": {"epoch": 3, "seq": 1843}, "found": 4, "seconds": 0.5}

    def pause(self, dataset: str, what: What, seconds: float | None) -> Json:
        self._asked("pause", dataset, what, seconds)
        return {"dataset": dataset, "paused": {"send": "2026-11-22T05:15:00.000000Z"}}

    def resume(self, dataset: str, what: What) -> Json:
        self._asked("resume", dataset, what)
        return {"dataset": dataset, "paused": None}

    def accept(self, dataset: str) -> Json:
        self._asked("accept", dataset)
        return {"dataset": dataset, "accepted": "the source is empty"}

    def resync(self, dataset: str) -> Json:
        self._asked("resync", dataset)
        return {"dataset": dataset, "path": "/srv/web"}

    def _asked(self, call: str, *arguments: object) -> None:
        self.calls.append((call, *arguments))
        if self.failure is not None:
            raise self.failure
        known = {dataset.name for dataset in self.facts.datasets}
        if call not in ("status", "events", "reload") and arguments[0] not in known:
            raise NotFound(call, str(arguments[0]), "no such dataset here", f"known: {', '.join(sorted(known))}")
