"""A dataset's facts for status, read off its running side. Nothing is kept here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agent.apply.results import ApplyFacts, ApplyPhase
from agent.capture.facts import CapturePhase, PumpFacts
from agent.config.values import Dataset
from agent.core.commit import Commit
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import Problem, ProblemBoard
from agent.core.standing import NEVER, Verified
from agent.node.measured import first_sync
from agent.node.pauses import SEND, Pauses
from agent.node.primary import Primary
from agent.node.standby import Standby
from agent.roles.assignment import Assignment
from agent.status.facts import FIRST_SYNC, DatasetFacts, PeerFacts, SyncFacts, WatchFacts
from agent.status.state import Role
from agent.stream.sending.forecast import Flow, forecast_seconds
from agent.stream.sending.pace import STANDS_STILL, Terms
from agent.stream.sending.sender import CallPhase
from agent.stream.telling import Standings

#: A peer is behind when what waits needs longer than this at the rate of the last seconds, and something is as late as that.
BEHIND_SECONDS, LATE_SECONDS = 10.0, 3.0
_MODES = {CallPhase.CATCHUP: "catchup", CallPhase.BEHIND: "behind", CallPhase.STREAMING: "streaming"}


def closed_facts(
    dataset: Dataset,
    assigned: Assignment,
    board: ProblemBoard,
    pauses: Pauses,
    standings: Standings,
    verified: Verified | None,
) -> DatasetFacts:
    """A dataset that is not open: only its problems say anything, and how it was verified."""
    problems, uncounted = board.listed()
    return DatasetFacts(
        name=dataset.name,
        kind=dataset.kind,
        group=dataset.group,
        role=assigned.role,
        path=dataset.path,
        primary=assigned.primary,
        standbys=assigned.standbys,
        epoch=0,
        peers=tuple(PeerFacts(name, told=standings.told(name)) for name in assigned.peers),
        pauses=pauses.told(),
        problems=tuple(problems),
        uncounted=uncounted,
        last_verify=verified,
        opened=False,
    )


def primary_facts(
    side: Primary, board: ProblemBoard, pauses: Pauses, standings: Standings, verified: Verified | None
) -> DatasetFacts:
    """A dataset on its primary."""
    pump = side.facts()
    peers, troubles = _peers(side, pauses, standings)
    problems, uncounted = board.listed()
    dataset = side.dataset
    newest = side.newest()
    return DatasetFacts(
        name=dataset.name,
        kind=dataset.kind,
        group=dataset.group,
        role=Role.FENCED if side.reign.mark is not None and side.reign.mark.fenced else Role.PRIMARY,
        path=dataset.path,
        primary=side.assigned.primary,
        standbys=side.assigned.standbys,
        epoch=side.reign.epoch.number,
        commit=newest,
        peers=peers,
        sync=_least_done(peers) or _walk(pump),
        watch=_watch(side, pump),
        hold=_hold(side, pump, problems),
        pauses=pauses.told(),
        problems=tuple(problems),
        link_problems=tuple(troubles),
        uncounted=uncounted,
        last_verify=verified,
        rewound=side.reign.mark is not None,
        unconfirmed=bool(side.unconfirmed_by()),
        inconsistent=newest is not None and not newest.consistent and pump.phase is CapturePhase.LIVE,
        behind=pump.behind,
        untracked=pump.untracked,
        reconciling=pump.phase is CapturePhase.RECONCILE,
        history=side.past.facts() if side.past is not None else None,
        history_wanted=dataset.history,
        owed=max((peer.owed for peer in peers), default=0),
    )


def standby_facts(
    side: Standby, board: ProblemBoard, pauses: Pauses, standings: Standings, verified: Verified | None
) -> DatasetFacts:
    """A dataset on a secondary."""
    apply = side.loop.facts()
    problems, uncounted = board.listed()
    dataset = side.dataset
    newest, standing = side.newest(), side.standing
    connected = side.connected
    first = not side.is_settled
    mode: Literal["streaming", ""] = "streaming" if connected else ""
    primary = PeerFacts(
        side.assigned.primary,
        version=side.primary_program,
        connected=connected,
        mode=mode,
        told=standings.told(side.assigned.primary),
        since_ns=side.calls.visits.since,
    )
    half = newest is not None and not newest.consistent and not first
    stands = newest if newest is not None and newest.number == apply.applied else standing.commit(apply.applied)
    return DatasetFacts(
        name=dataset.name,
        kind=dataset.kind,
        group=dataset.group,
        role=Role.STANDBY,
        path=dataset.path,
        primary=side.assigned.primary,
        standbys=side.assigned.standbys,
        epoch=side.epoch,
        commit=newest,
        applied=apply.applied,
        applied_commit=stands,
        applied_until_ns=standing.until(apply.applied, newest),
        peers=(primary,),
        sync=beside(_applying(side, first), primary),
        hold=side.brake_generations.told(_told_hold(problems, apply.hold)),
        pauses=pauses.told(),
        problems=tuple(problems),
        uncounted=uncounted,
        last_verify=verified,
        inconsistent=half,
        rehearsing=side.rehearses,
        redo=apply.phase is ApplyPhase.REDO,
        behind=apply.phase is ApplyPhase.FULL,
        seeding=side.seeding.seeds or side.rejoined.filling.at_work,
        owed=side.owing,
        vault=replace(side.space.facts(), verified=side.checks.record.facts()),
        history=side.keeper.history,
        history_wanted=dataset.history,
        first_sync=first,
        whole=not (first or half) and stands_whole(apply, side.board.position.applied, stands),
    )


def stands_whole(apply: ApplyFacts, there: CommitNumber, stands: Commit | None) -> bool:
    """Whether the directory of a standby is there and can be read as a whole commit. ``there``: what is told to stand there,
    ``NOTHING`` while it is away, or nobody has looked; ``stands``: the commit that it equals, None where nobody knows of it."""
    known = there != NOTHING and not apply.doubted and apply.phase is not ApplyPhase.REDO
    return known and stands is not None and stands.consistent


def _lag(measured: float | None, put_off: float) -> float | None:
    """The lag of a peer, with a change in it that is put off for so many seconds (0: none is)."""
    return max(measured or 0.0, put_off) if put_off else measured


def _peers(side: Primary, pauses: Pauses, standings: Standings) -> tuple[tuple[PeerFacts, ...], list[Problem]]:
    peers: list[PeerFacts] = []
    troubles: list[Problem] = []
    # In this order a first sync is never further than it is: what is captured meanwhile counts as left, and not as captured.
    newest = side.feed.newest or side.newest()
    pump = side.facts()
    put_off, waits = pump.put_off, pump.waits + pump.dirty
    for name, link in side.outgoing.links.items():
        replica = side.replicas[name]
        state = link.state()
        if state.error is not None and side.reign.mark is None and not pauses.paused(SEND):
            troubles.append(state.error)
        position = replica.positions.position
        left = state.behind
        behind = waits + (replica.received.waiting(side.feed.given) if left is None else left)
        changes = side.changes.flow()
        heard = state.welcome is not None or position.durable != NOTHING
        facts = PeerFacts(
            name,
            version=state.welcome.program if state.welcome is not None else "",
            connected=state.connected,
            mode=_MODES.get(state.phase, "") if state.connected else "",  # type: ignore[arg-type]
            durable=position.durable,
            applied=position.applied,
            lag_seconds=_lag(replica.received.seconds(), put_off),
            received_ns=replica.received.as_of(put_off),
            applied_ns=replica.applied.as_of(put_off),
            behind_bytes=behind,
            behind_known=heard,
            rate=state.gains,
            change_rate=changes.now,
            forecast_seconds=forecast_seconds(behind, state.gains, changes) if heard else None,
            since_ns=state.since or 0,
            told=standings.told(name),
            owed=replica.owed[0],
            left_behind=not replica.followed and side.past is not None,
        )
        first = _first_sync(side, facts, pump, newest, left, state.attempts)
        if pump.refused:
            facts = awaiting_freeze(facts, pump.dirty, replica.received.seconds())
        else:
            facts = replace(facts, mode=peer_mode(facts))
        had_all = replica.first_sync.was_through or side.past is not None
        if not had_all and is_untold(facts, had_all=had_all):
            # That it lacks the newest alone is said only of one that had all once.
            facts = replace(facts, received_ns=None, applied_ns=None)
        if first is not None:
            facts = being_filled(facts, first, on_top(changes, pump.phase, refused=pump.refused))
        peers.append(_limited(facts, replica.pace.terms()) if state.connected else facts)
    return tuple(peers), troubles


def peer_mode(peer: PeerFacts) -> Literal["streaming", "catchup", "behind", ""]:
    """A peer that streams is behind all the same while what waits for it needs long at the rate of the last seconds; most of all
    where nothing moves, as on a link that is cut and not missed yet."""
    waits = peer.behind_bytes > BEHIND_SECONDS * peer.rate
    late = (peer.lag_seconds or 0.0) > LATE_SECONDS
    return "behind" if peer.mode == "streaming" and waits and late else peer.mode


def awaiting_freeze(peer: PeerFacts, dirty: int, lag: float | None) -> PeerFacts:
    """A peer of a device that no freeze is granted for: ``dirty`` bytes of what it lacks wait for that and for no link. They make
    it not behind, and nobody knows when they are there. ``lag``: seconds, of what was committed."""
    committed = replace(peer, behind_bytes=max(0, peer.behind_bytes - dirty), lag_seconds=lag)
    return replace(peer, mode=peer_mode(committed), forecast_seconds=None)


def on_top(changes: Flow, phase: CapturePhase, *, refused: bool) -> Flow | None:
    """What of ``changes`` comes on top of what a first sync was counted to be: nothing of what the first walk captures. None
    while a freeze is refused."""
    if refused:
        return None
    return Flow(0.0, 0.0) if phase is CapturePhase.FIRST_SYNC else changes


def being_filled(peer: PeerFacts, sync: SyncFacts, changes: Flow | None) -> PeerFacts:
    """A peer in its first sync, ``sync``: it lacks also what the walk has not come to yet, which was written long ago and is
    nowhere there. Where nobody has counted that, it is not known when all is there; else both say the same of that.
    ``changes``: what comes on top of what is counted, None where what waits waits for something else."""
    peer = replace(peer, received_ns=None, applied_ns=None, first_sync=sync)
    if sync.total_bytes is None:
        return replace(peer, forecast_seconds=None)
    left = max(peer.behind_bytes, sync.total_bytes - sync.done_bytes)
    gains = peer.rate if peer.connected else 0.0
    forecast = forecast_seconds(left, gains, changes) if changes is not None else None
    eta = forecast if left and forecast != NEVER else None
    sync = replace(sync, eta_seconds=eta)
    return replace(peer, behind_bytes=left, forecast_seconds=forecast, first_sync=sync)


def is_untold(peer: PeerFacts, *, had_all: bool) -> bool:
    """Whether what a node has that is away is not known here: it has not said since this node began, or, ``had_all``, it said
    once that it had all, and nothing when it was heard last."""
    return not peer.connected and peer.durable == NOTHING and (had_all or not peer.behind_known)


def _first_sync(
    side: Primary, peer: PeerFacts, pump: PumpFacts, newest: Commit | None, left: int | None, call: int
) -> SyncFacts | None:
    """How far a peer is that has not had, and applied, a consistent commit. ``left``: see :func:`first_sync.progress`; ``call``:
    the number of the call to it."""
    first = side.replicas[peer.name].first_sync
    if not first() and not first.unapplied:
        return None
    if is_untold(peer, had_all=first.was_through or side.past is not None):
        return None
    if left is not None:
        first.begins(call)
    sync = first_sync.progress(pump, newest, left, peer.rate if peer.connected else 0.0, first.there)
    first.there = sync.done_bytes
    return sync


def _least_done(peers: Sequence[PeerFacts]) -> SyncFacts | None:
    """Of the peers in their first sync, the one that is least far."""
    return min((peer.first_sync for peer in peers if peer.first_sync), key=lambda sync: sync.done_bytes, default=None)


def _hold(side: Primary, pump: PumpFacts, problems: Sequence[Problem]) -> Hold | None:
    """What ``accept`` would let pass here."""
    mark = side.reign.mark
    if mark is not None:
        return _told_hold(problems, Hold(mark.code, mark.sentence, gives_up=mark.gives_up))
    return _told_hold(problems, pump.hold)


def _told_hold(problems: Sequence[Problem], hold: Hold | None) -> Hold | None:
    """The hold since when and in the words that its problem tells it."""
    if hold is None:
        return None
    problem = next((one for one in problems if one.code == hold.code), None)
    if problem is None:
        return hold
    return replace(hold, sentence=problem.message, remedy=problem.remedy, since=problem.since)


def _limited(peer: PeerFacts, terms: Terms) -> PeerFacts:
    """With how fast it may be sent to, where that is limited."""
    rate, until = terms.allowance.rate, terms.allowance.until
    if rate is None:
        return peer
    waits_until = int(until * 1e9) if rate == STANDS_STILL and until is not None else None
    limits: Literal["first_sync", "steady"] = "first_sync" if terms.first_sync else "steady"
    return replace(peer, rate_limit=rate, waits_until_ns=waits_until, limited_by=limits)


def _walk(pump: PumpFacts) -> SyncFacts | None:
    if pump.sync is None:
        return None
    phase = FIRST_SYNC if pump.phase is CapturePhase.FIRST_SYNC else "reconcile"
    sync = pump.sync
    return SyncFacts(phase, sync.done_bytes, sync.total_bytes, sync.done_entries, sync.total_entries)


def _watch(side: Primary, pump: PumpFacts) -> WatchFacts | None:
    watch = side.watch.in_force
    if watch is None:
        return None
    counted = pump.by_event, pump.by_reconcile, watch.overflows, pump.last_reconcile
    return WatchFacts(watch.kind, watch.why, *counted)


def beside(own: SyncFacts | None, primary: PeerFacts) -> SyncFacts | None:
    """A first sync as the primary tells of it while it is connected: until all has come it alone knows the total. The entries are
    those here; where some of them are gone there meanwhile, how many of these are of its total is not known."""
    told = primary.told.standing.sync if primary.told is not None and primary.connected else None
    if own is None or own.phase != FIRST_SYNC or told is None or told.phase != FIRST_SYNC:
        return own
    if told.total_bytes is None and own.total_bytes is not None:
        return own
    total = told.total_entries
    more = total is not None and own.done_entries > total
    return replace(told, done_entries=own.done_entries, total_entries=None if more else total)


def first_received(newest: Commit | None, *, whole: bool) -> SyncFacts:
    """A first sync by what is here alone. ``whole``: all of it has come and is still to be applied; what was received before that
    is not all, and the total is the primary's to tell."""
    if newest is None:
        return SyncFacts(FIRST_SYNC)
    totals = (newest.bytes, newest.entries) if whole else (None, None)
    return SyncFacts(FIRST_SYNC, newest.bytes, totals[0], newest.entries, totals[1])


def _applying(side: Standby, first: bool) -> SyncFacts | None:
    apply = side.loop.facts()
    seeding = side.seeding
    newest = side.newest()
    if apply.phase is ApplyPhase.REDO and newest is not None and (newest.consistent or side.was_consistent):
        progress = apply.progress
        return SyncFacts(
            "redo", progress.done_bytes, progress.total_bytes, progress.done_entries, progress.total_entries
        )
    if first and not seeding.ready:
        files, size = seeding.read
        return SyncFacts(FIRST_SYNC, size, None, files, None)
    if seeding.seeds and not first and apply.phase is ApplyPhase.IDLE:
        done, total = seeding.progress
        return SyncFacts("seeding", done, total)
    if side.rejoined.filling.at_work and not first and apply.phase is ApplyPhase.IDLE:
        done, total = side.rejoined.filling.progress
        return SyncFacts("seeding", done, total)
    if first:
        return first_received(newest, whole=side.was_consistent or (newest is not None and newest.consistent))
    phase, progress = "apply", apply.progress
    if apply.phase not in (ApplyPhase.CONVERGE, ApplyPhase.REDO):
        verifies = side.loop.verify_progress()
        if verifies is None:
            return None
        phase, progress = "verify", verifies
    return SyncFacts(phase, progress.done_bytes, progress.total_bytes, progress.done_entries, progress.total_entries)
