"""How a dataset stands on a node, what its clocks show, and the bytes of both. Texts are cut where they go out, and what is too
long or impossible is refused where it comes in."""

from __future__ import annotations

import math
from typing import Any

from agent.core.hold import Hold
from agent.core.skew import ClockReading
from agent.core.standing import Pause, Standing, SyncFacts, Trouble, Verified
from agent.rpc.past_codec import fill_past, read_past
from agent.rpc.said_values import WORD_MAX, said_moment, said_number, said_text, said_word
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import TEXT_MAX, bad, told_bytes

_PAUSES_MAX = 4
#: Longer estimates say nothing, in seconds: about thirty years.
_ETA_MAX = 1e9


def fill_standing(out: pb.Standing, standing: Standing) -> None:
    """Write ``standing`` into ``out``."""
    out.state = standing.state[:WORD_MAX]
    out.errors, out.warnings = standing.errors, standing.warnings
    if standing.hold is not None:
        hold = standing.hold
        out.hold.code, out.hold.since = hold.code[:WORD_MAX], hold.since
        out.hold.sentence, out.hold.remedy = hold.sentence[:TEXT_MAX], hold.remedy[:TEXT_MAX]
        out.hold.generation = hold.generation[:WORD_MAX]
    for pause in standing.pauses[:_PAUSES_MAX]:
        out.pauses.add(what=pause.what[:WORD_MAX], until=pause.until or 0, by=pause.by[:TEXT_MAX])
    if standing.worst is not None:
        worst = standing.worst
        out.worst.code = worst.code[:WORD_MAX]
        out.worst.message, out.worst.remedy = worst.message[:TEXT_MAX], worst.remedy[:TEXT_MAX]
    if standing.verified is not None:
        _fill_verify(out.verify, standing.verified)
    if standing.sync is not None:
        _fill_sync(out.sync, standing.sync)
    if standing.past is not None:
        fill_past(out.past, standing.past)


def read_standing(part: Any) -> Standing | None:
    """The standing in a ``Heartbeat`` or ``Progress``, if it has one. Raises ``WireError``."""
    if not part.HasField("standing"):
        return None
    said: pb.Standing = part.standing
    if len(said.pauses) > _PAUSES_MAX:
        raise bad(f"{len(said.pauses)} pauses")
    return Standing(
        state=said_word(said.state),
        hold=_read_hold(said.hold) if said.HasField("hold") else None,
        pauses=tuple(
            Pause(said_word(one.what), said_moment(one.until) or None, said_text(one.by)) for one in said.pauses
        ),
        errors=said.errors,
        warnings=said.warnings,
        worst=_read_trouble(said.worst) if said.HasField("worst") else None,
        verified=_read_verify(said.verify) if said.HasField("verify") else None,
        sync=_read_sync(said.sync) if said.HasField("sync") else None,
        past=read_past(said.past) if said.HasField("past") else None,
    )


def fill_clock(part: Any, clock: ClockReading | None) -> None:
    """Write what our clocks show into a ``Heartbeat`` or ``Progress``, if it is to be said."""
    if clock is not None:
        part.clock.now, part.clock.mark, part.clock.echo = clock.now, clock.mark, clock.echo


def read_clock(part: Any) -> ClockReading | None:
    """What the peer's clocks show, if it says so. Any number may be shown by a clock; what is made of it is bounded."""
    return ClockReading(part.clock.now, part.clock.mark, part.clock.echo) if part.HasField("clock") else None


def _fill_verify(out: pb.StandingVerify, verified: Verified) -> None:
    out.time, out.equal, out.deep, out.differences = (
        verified.time,
        verified.equal,
        verified.deep,
        verified.differences,
    )


def _fill_sync(out: pb.StandingSync, sync: SyncFacts) -> None:
    out.phase, out.done_bytes, out.done_entries = sync.phase[:WORD_MAX], told_bytes(sync.done_bytes), sync.done_entries
    if sync.total_bytes is not None:
        out.total_bytes = told_bytes(sync.total_bytes)
    if sync.total_entries is not None:
        out.total_entries = sync.total_entries
    if sync.eta_seconds is not None:
        out.eta_seconds = sync.eta_seconds


def _read_hold(hold: pb.StandingHold) -> Hold:
    since, generation = said_moment(hold.since), said_word(hold.generation)
    return Hold(said_word(hold.code), said_text(hold.sentence), said_text(hold.remedy), since, generation=generation)


def _read_trouble(worst: pb.StandingTrouble) -> Trouble:
    return Trouble(said_word(worst.code), said_text(worst.message), said_text(worst.remedy))


def _read_verify(verify: pb.StandingVerify) -> Verified:
    return Verified(said_moment(verify.time), verify.equal, verify.deep, said_number(verify.differences))


def _read_sync(sync: pb.StandingSync) -> SyncFacts:
    return SyncFacts(
        phase=said_word(sync.phase),
        done_bytes=said_number(sync.done_bytes),
        total_bytes=said_number(sync.total_bytes) if sync.HasField("total_bytes") else None,
        done_entries=said_number(sync.done_entries),
        total_entries=said_number(sync.total_entries) if sync.HasField("total_entries") else None,
        eta_seconds=_span(sync.eta_seconds) if sync.HasField("eta_seconds") else None,
    )


def _span(value: float) -> float | None:
    if math.isnan(value) or value < 0:
        raise bad(f"{value} seconds")
    return value if value <= _ETA_MAX else None
