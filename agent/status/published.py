"""The published value: facts as JSON, which commands, health, metrics and console all read.

Keys of later issues are there and null. Times are stamps (``figures.stamp``), sizes bytes, durations seconds."""

from __future__ import annotations

from agent.core.commit import Commit
from agent.core.hold import Hold, on_node
from agent.core.ids import epoch_of, seq_of
from agent.core.problem import Problem, kept_path
from agent.core.standing import NEVER, Pause, Rehearsed, Standing, SyncFacts, Verified
from agent.status.derive import dataset_state, pauses_of, serves_here
from agent.status.facts import DatasetFacts, DiskFacts, MovingFacts, NodeFacts, PeerFacts, WatchFacts
from agent.status.figures import stamp
from agent.status.json_value import Json
from agent.status.past import past_of_dataset, past_of_peer
from agent.status.promotion import promotion_json
from agent.status.text import shown

__all__ = ["SCHEMA", "Json", "number_json", "status_json"]

SCHEMA = 1


def status_json(facts: NodeFacts) -> Json:
    """The value of ``hikae status --json``, the admin socket and, with ``written``, of ``state.json``."""
    return {
        "schema": SCHEMA,
        "node": facts.node,
        "version": facts.version,
        "clock": stamp(facts.time_ns),
        "disks": [_disk(disk) for disk in facts.disks],
        "certificate": {"until": stamp(facts.certificate_until_ns)},
        "crl": {"until": stamp(facts.crl_until_ns)},
        "problems": [_problem(problem) for problem in facts.problems],
        "datasets": [_dataset(dataset, facts.node) for dataset in facts.datasets],
    }


def _disk(disk: DiskFacts) -> Json:
    return {
        "path": shown(disk.path),
        "free": disk.free,
        "total": disk.total,
        "reserve": disk.reserve,
        "full_at": stamp(disk.full_at_ns),
    }


def number_json(number: int) -> Json | None:
    """A commit number as ``{"epoch", "seq"}``; null for nothing yet."""
    return {"epoch": epoch_of(number), "seq": seq_of(number)} if number else None


def _applied(facts: DatasetFacts) -> Json | None:
    number, commit = number_json(facts.applied), facts.applied_commit
    if number is None:
        return None
    until = {"until": stamp(facts.applied_until_ns)}
    if commit is None:
        return {**number, "time": None, "entries": None, "bytes": None, **until}
    return {**number, "time": stamp(commit.time), "entries": commit.entries, "bytes": commit.bytes, **until}


def _dataset(facts: DatasetFacts, node: str) -> Json:
    return {
        "name": facts.name,
        "kind": facts.kind,
        "group": facts.group,
        "role": facts.role.value,
        "path": shown(facts.path),
        "primary": facts.primary,
        "standbys": list(facts.standbys),
        "epoch": facts.epoch,
        "state": dataset_state(facts).value,
        "serving": serves_here(facts),
        "opened": facts.opened,
        "first_sync": facts.first_sync,
        "whole": facts.whole,
        "moving": _moving(facts.moving),
        "since": stamp(facts.since_ns),
        "commit": _commit(facts.commit),
        "applied": _applied(facts),
        "peers": [_peer(peer) for peer in facts.peers],
        "sync": _sync(facts.sync),
        "watch": _watch(facts.watch),
        "entries": facts.commit.entries if facts.commit else None,
        "bytes": facts.commit.bytes if facts.commit else None,
        "owed": facts.owed,
        "seeding": facts.seeding,
        **past_of_dataset(facts, node),
        "hold": _first_hold(facts, node),
        "pauses": [
            *(_pause(pause, node) for pause in facts.pauses),
            *(_pause(pause, peer.name) for peer in facts.peers for pause in pauses_of(peer, facts.time_ns)),
        ],
        "last_verify": _verify(facts.last_verify),
        "promotion": promotion_json(facts.promotion),
        "last_rehearsal": _rehearsal(facts.last_rehearsal),
        "problems": [_problem(problem) for problem in (*facts.problems, *facts.link_problems)],
        "uncounted": dict(facts.uncounted),
    }


def _moving(moving: MovingFacts | None) -> Json | None:
    return None if moving is None else {"what": moving.what, "step": moving.step or None}


def _commit(commit: Commit | None) -> Json | None:
    if commit is None:
        return None
    return {
        "epoch": epoch_of(commit.number),
        "seq": seq_of(commit.number),
        "digest": commit.digest.hex(),
        "time": stamp(commit.time),
        "consistent": commit.consistent,
        "entries": commit.entries,
        "bytes": commit.bytes,
    }


def _peer(peer: PeerFacts) -> Json:
    return {
        "name": peer.name,
        "version": shown(peer.version),
        "connected": peer.connected,
        "mode": peer.mode,
        "since": stamp(peer.since_ns),
        "durable_seq": seq_of(peer.durable),
        "durable_epoch": epoch_of(peer.durable),
        "applied_seq": seq_of(peer.applied),
        "applied_epoch": epoch_of(peer.applied),
        "lag_seconds": peer.lag_seconds,
        "behind_bytes": peer.behind_bytes,
        "rate": round(peer.rate),
        "change_rate": round(peer.change_rate),
        "forecast_seconds": None if peer.forecast_seconds == NEVER else peer.forecast_seconds,
        "forecast_never": peer.forecast_seconds == NEVER,
        "rate_limit": peer.rate_limit,
        "waits_until": stamp(peer.waits_until_ns),
        "limited_by": peer.limited_by or None,
        "received": stamp(peer.received_ns),
        "applied": stamp(peer.applied_ns),
        "first_sync": _sync(peer.first_sync),
        **_said(peer),
        "owed": peer.owed,
        "left_behind": peer.left_behind,
        "behind_known": peer.behind_known,
    }


def _said(peer: PeerFacts) -> Json:
    """What the peer last said of itself; ``said``: when that was heard. Beside ``connected`` it is how it is now."""
    told = peer.told
    standing = told.standing if told is not None else Standing("")
    worst = standing.worst
    return {
        "said": stamp(told.at) if told is not None else None,
        "state": shown(standing.state) or None,
        "hold": _hold(standing.hold, peer.name),
        "errors": standing.errors,
        "warnings": standing.warnings,
        "worst": None
        if worst is None
        else {"code": shown(worst.code), "message": shown(worst.message), "remedy": shown(worst.remedy)},
        "last_verify": _verify(standing.verified),
        "sync": _sync(standing.sync),
        **past_of_peer(peer),
    }


def _first_hold(facts: DatasetFacts, node: str) -> Json | None:
    """What is held here, else on a peer that is connected."""
    holds = [_hold(facts.hold, node)]
    holds += [_hold(peer.told.standing.hold, peer.name) for peer in facts.peers if peer.told and peer.connected]
    return next((hold for hold in holds if hold is not None), None)


def _hold(hold: Hold | None, node: str) -> Json | None:
    if hold is None:
        return None
    return {
        "code": shown(hold.code),
        "sentence": shown(hold.sentence),
        "remedy": shown(hold.remedy),
        "node": node,
        "since": stamp(hold.since),
        "gives_up": shown(hold.gives_up) or None,
        "generation": shown(hold.generation) or None,
        "accepted_on": on_node(hold, node).accepted_on or None,
    }


def _pause(pause: Pause, node: str) -> Json:
    return {"node": node, "what": shown(pause.what), "until": stamp(pause.until), "by": shown(pause.by) or None}


def _sync(sync: SyncFacts | None) -> Json | None:
    if sync is None:
        return None
    return {
        "phase": sync.phase,
        "done_bytes": sync.done_bytes,
        "total_bytes": sync.total_bytes,
        "done_entries": sync.done_entries,
        "total_entries": sync.total_entries,
        "eta_seconds": sync.eta_seconds,
    }


def _watch(watch: WatchFacts | None) -> Json | None:
    if watch is None:
        return None
    return {
        "kind": watch.kind,
        "why": shown(watch.why),
        "by_event": watch.by_event,
        "by_reconcile": watch.by_reconcile,
        "overflows": watch.overflows,
        "last_reconcile": stamp(watch.last_reconcile_ns),
    }


def _rehearsal(result: Rehearsed | None) -> Json | None:
    if result is None:
        return None
    return {
        "time": stamp(result.time),
        "ok": result.ok,
        "commit": number_json(result.commit),
        "rto_ms": result.rto_ms,
        "exit": result.exit,
        "output": shown(result.output),
        "reason": shown(result.reason),
    }


def _verify(result: Verified | None) -> Json | None:
    if result is None:
        return None
    return {
        "time": stamp(result.time),
        "equal": result.equal,
        "deep": result.deep,
        "differences": result.differences,
    }


def _problem(problem: Problem) -> Json:
    return {
        "code": str(problem.code),
        "severity": problem.severity.value,
        "since": stamp(problem.since),
        "path": shown(kept_path(problem.path)),
        "message": shown(problem.message),
        "remedy": shown(problem.remedy),
    }
