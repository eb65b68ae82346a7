"""An agent that is not there: ``FakeControls``, and facts to derive a status from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent.core.commit import Commit
from agent.core.errors import HikaeError, NotFound
from agent.core.ids import NOTHING, commit_number
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import PROBLEM_CODES
from agent.operations.configuring import ReloadRequest
from agent.operations.declaration import AnswerT, Json, Progress, Request, operation_of
from agent.operations.elsewhere.keeping import KeepStandingRequest
from agent.operations.families import OPERATIONS
from agent.operations.holding import AcceptRequest, ResyncRequest
from agent.operations.journal import Caller
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.operations.reading import EventsRequest, StatusRequest
from agent.operations.rebuilding import ResyncVaultRequest
from agent.operations.removing import RemoveRequest
from agent.operations.role_changes.promoting import PromoteRequest
from agent.operations.role_changes.rehearsing import RehearseRequest
from agent.operations.role_changes.rejoining import RejoinRequest
from agent.operations.role_changes.rolling_back import GenerationsBeforeRequest, RollbackRequest
from agent.operations.role_changes.serving import FenceRequest, ServeRequest
from agent.operations.role_changes.switching import SwitchoverLookRequest, SwitchoverRequest, TakeOverRequest
from agent.operations.role_changes.telling import RolesRequest
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import ReconcileRequest, WaitRequest
from agent.status.facts import DatasetFacts, NodeFacts, PeerFacts, WatchFacts
from agent.status.published import status_json
from agent.status.state import Role
from fakes.generation_answers import GenerationAnswers

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


#: What :func:`a_dataset` has captured last.
A_COMMIT = Commit(commit_number(3, 1842), NOTHING, bytes(range(32)), NOW - 1, NOW - 1, True, 10, 1234)


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
        commit=A_COMMIT,
        peers=(a_peer(),),
        watch=WatchFacts("fanotify", "", 17, 2, 0, NOW - 30 * MINUTE),
        since_ns=NOW - 5 * MINUTE,
    )
    return replace(facts, **more)


def a_node(*datasets: DatasetFacts, **more: Any) -> NodeFacts:
    """The node ``alpha`` with these datasets."""
    return replace(NodeFacts("alpha", "0.1.0", NOW, (), datasets), **more)


def unheard(_caller: Caller, _request: Request[Any], _error: HikaeError | None = None) -> None:
    """Nobody keeps a journal."""


class FakeControls(GenerationAnswers):
    """Answers as told and remembers what it was asked. ``failure`` is raised by every call; ``during`` is called with
    the progress of each that has one."""

    def __init__(self, facts: NodeFacts | None = None) -> None:
        self.facts = facts or a_node(a_dataset())
        self.calls: list[tuple[object, ...]] = []
        self.failure: BaseException | None = None
        self.during: Callable[[Progress], None] = lambda progress: progress({"phase": "fake", "done_entries": 1})
        #: The status as another release would give it.
        self.answer_status: Callable[[Json], Json] = lambda value: value
        self.equal = True
        self.behind = 0
        self.rows: list[Json] = []
        self.taken: list[str] = []
        self.waiting: list[str] = []
        self.warnings: list[str] = []
        self.left: list[str] = []
        #: Generations that may not go yet.
        self.promised: list[Json] = []
        #: Pauses that a resume ends.
        self.ended: list[Json] = []
        #: Pauses that it does not end, as another node has them.
        self.elsewhere: list[Json] = []
        #: What a resume does not end.
        self.held: str | None = None

    def typed_by(self, _caller: Caller) -> FakeControls:
        """See ``api.server.Desk``: the same for all."""
        return self

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        name, values = operation_of(request).name, dataclasses.astuple(request)
        self._asked(name, *values)
        if progress is not None:
            self.during(progress)
        answer: AnswerT = getattr(self, f"_{name.replace('-', '_')}")(request)
        return answer

    def _status(self, _request: StatusRequest) -> Json:
        return self.answer_status(status_json(self.facts))

    def _events(self, request: EventsRequest) -> list[Json]:
        return [row for row in self.rows if row["id"] > request.since][-request.limit :]

    def _reload(self, _request: ReloadRequest) -> Json:
        return {
            "files": ["/etc/hikae/agent.toml"],
            "taken": list(self.taken),
            "needs_restart": list(self.waiting),
            "warnings": list(self.warnings),
        }

    def _wait(self, request: WaitRequest) -> Json:
        commit = {"epoch": 3, "seq": 1842}
        return {"dataset": request.dataset, "commit": commit, "level": request.level, "seconds": 0.0121}

    def _verify(self, request: VerifyRequest) -> Json:
        differences = [] if self.equal else [{"path": "a\x1b[2Jb", "what": "mode"}]
        return {
            "equal": self.equal,
            "commit": {"epoch": 3, "seq": 1841},
            "newest": {"epoch": 3, "seq": 1841 + self.behind},
            "checked_entries": 12,
            "checked_bytes": 3456 if request.deep else 0,
            "differences": differences,
            "repaired": 2 if request.repair else 0,
        }

    def _reconcile(self, request: ReconcileRequest) -> Json:
        return {"dataset": request.dataset, "commit": {"epoch": 3, "seq": 1843}, "found": 4, "seconds": 0.5}

    def _pause(self, request: PauseRequest) -> Json:
        return {"dataset": request.dataset, "paused": {"send": "2026-11-22T05:15:00.000000Z"}}

    def _resume(self, request: ResumeRequest) -> Json:
        waited = {"behind_bytes": 0, "behind_commits": 1200 if self.ended else 0}
        told = {"held": self.held, "elsewhere": list(self.elsewhere)}
        return {"dataset": request.dataset, "paused": None, "ended": list(self.ended), **waited, **told}

    def _dataset_remove(self, request: RemoveRequest) -> Json:
        parts = [{"what": "vault", "paths": ["/var/lib/hikae/datasets/old/vault"], "bytes": 3 << 30}]
        left = [] if request.dry_run else list(self.left)
        return {
            "dataset": request.name,
            "removed": not request.dry_run,
            "bytes": 3 << 30,
            "parts": parts,
            "left": left,
            "promised": self.promised,
        }

    def _generations_before(self, _request: GenerationsBeforeRequest) -> Json:
        return {"generation": "20261122T031500Z"}

    def _keep_standing(self, request: KeepStandingRequest) -> Json:
        commit = {"epoch": 3, "seq": 1842}
        kept = {"dataset": request.dataset, "generation": "20261122T041500Z", "node": "beta", "commit": commit}
        return {**kept, "waited_for": commit, "incomplete": 0}

    def _rollback(self, request: RollbackRequest) -> Json:
        if request.dry_run:
            gate = {"name": "writers", "ok": False, "value": "vi (process 7)", "remedy": "end what writes"}
            return {
                "dataset": request.dataset,
                "moment": "generation 20261122T031500Z",
                "node": "beta",
                "generation": "20261122T031500Z" if request.generation else None,
                "commit": {"epoch": 3, "seq": 1},
                "time": "2026-11-22T03:15:00.000000Z",
                "entries": 12,
                "bytes": 3456,
                "incomplete": 2,
                "gates": [gate],
            }
        return {
            "dataset": request.dataset,
            "epoch": 3,
            "role": "primary",
            "rto_ms": 70,
            "lost": ["vi (process 7) may write /srv/web/a"],
            "generation_before": "20261122T041500Z",
            "steps": [{"name": "stop", "ms": 70, "result": "stop: done in 0.1 s"}],
        }

    def _roles(self, request: RolesRequest) -> list[Json]:
        change = {
            "time": "2026-11-22T03:15:00.000000Z",
            "kind": "promote",
            "from": "standby",
            "to": "primary",
            "epoch": 3,
        }
        commit, steps = {"epoch": 2, "seq": 7}, [{"name": "gates", "ms": 7, "result": "all are met"}]
        more = {
            "uid": 0,
            "by": "root (uid 0)",
            "reason": f"{request.dataset} burns",
            "approved_by": "ann",
            "failed": "",
        }
        return [{**change, **more, "commit": commit, "lost": ["a"], "steps": steps}]

    def _serve(self, request: ServeRequest) -> Json:
        return {"dataset": request.dataset, "epoch": 3, "role": "primary", "was": "unconfirmed", "silent": ["beta"]}

    def _fence(self, request: FenceRequest) -> Json:
        return {"dataset": request.dataset, "epoch": 3, "role": "fenced", "was": "serving"}

    def _rejoin(self, request: RejoinRequest) -> Json:
        if request.dry_run:
            gate = {"name": "writers", "ok": False, "value": "vi (process 7)", "remedy": "end what writes"}
            return {"dataset": request.dataset, "primary": "beta", "epoch": 2, "gates": [gate]}
        return {
            "dataset": request.dataset,
            "epoch": 2,
            "role": "standby",
            "rto_ms": 70,
            "lost": [f"dir/file{number}" for number in range(25)],
            "generation_before": "20261122T041500Z",
            "steps": [{"name": "walk", "ms": 70, "result": "all was looked at up to commit 1.7"}],
        }

    def _rehearse(self, request: RehearseRequest) -> Json:
        if request.dry_run:
            return {"dataset": request.dataset, "gates": []}
        commit = {"epoch": 3, "seq": 1842}
        said = {"rto_ms": 700, "exit": 0, "output": "served", "reason": ""}
        return {"dataset": request.dataset, "ok": True, "commit": commit, **said}

    def _promote(self, request: PromoteRequest) -> Json:
        gate = {"name": "owed", "ok": False, "value": "7 files are not all here", "limit": "0", "measured": None}
        loss = {"paths": ["a"], "count": 1, "bytes": 7, "seconds": 1.5}
        if request.dry_run:
            gates = [{**gate, "remedy": "--force goes without them"}]
            commit = {"epoch": 3, "seq": 1}
            plan = {"dataset": request.dataset, "moment": "the newest commit", "commit": commit, "announced": []}
            return {**plan, "gates": gates, "loss": loss, "rto_ms": 400}
        return {
            "dataset": request.dataset,
            "epoch": 4,
            "role": "primary",
            "rto_ms": 70,
            "lost": [],
            "generation_before": "20261122T041500Z",
            "steps": [{"name": "role", "ms": 70, "result": "epoch 4"}],
        }

    def _switchover(self, request: SwitchoverRequest) -> Json:
        if request.when or request.cancel:
            key = "cancelled" if request.cancel else "at"
            return {"dataset": request.dataset, "to": "beta", key: "2026-11-22T02:00:00.000000Z"}
        gate = {"name": "verified", "ok": False, "value": "never", "limit": "8 days 0 h", "measured": None}
        if request.dry_run:
            return {"dataset": request.dataset, "to": "beta", "gates": [{**gate, "remedy": "hikae verify web"}]}
        return {
            "dataset": request.dataset,
            "epoch": 4,
            "role": "standby",
            "rto_ms": 70,
            "lost": ["vi (process 7) may write /srv/web/a"] if request.force else [],
            "generation_before": None,
            "steps": [{"name": "hand-over", "ms": 70, "result": "to beta, in epoch 4"}],
        }

    def _take_over(self, _request: TakeOverRequest) -> Json:
        return {"epoch": 4, "steps": []}

    def _switchover_look(self, _request: SwitchoverLookRequest) -> Json:
        return {"gates": []}

    def _accept(self, request: AcceptRequest) -> Json:
        return {"dataset": request.dataset, "accepted": "the source is empty"}

    def _resync(self, request: ResyncRequest) -> Json:
        return {"dataset": request.dataset, "path": "/srv/web"}

    def _resync_vault(self, request: ResyncVaultRequest) -> Json:
        counts = {"lacking": 12, "obtainable": 10, "restored": 0 if request.dry_run else 10, "left": 0}
        lost = [{"generation": "20261122T031500Z", "files": 1}]
        return {"dataset": request.dataset, "path": "/vault", **counts, "incomplete": lost}

    def _asked(self, call: str, *arguments: object) -> None:
        self.calls.append((call, *arguments))
        if self.failure is not None:
            raise self.failure
        known = {dataset.name for dataset in self.facts.datasets}
        if OPERATIONS[call].on_dataset and arguments[0] not in known:
            raise NotFound(call, str(arguments[0]), "no such dataset here", f"known: {', '.join(sorted(known))}")
