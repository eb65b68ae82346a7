"""The parts by which two nodes find what they have in common, and what is told of a commit beside its rows, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

from agent.core.chunks import NAME_SIZE
from agent.core.commit import ORDINARY, CommitKind, Provenance, Quiesced
from agent.core.digest import BUCKETS, GROUP, SUM_BYTES, WIDTH
from agent.core.ids import may_be_sealed
from agent.rpc.limits import counted, number
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.footing import TOKEN_SIZE
from agent.stream.locator import LOCATOR_MAX, CommitMark, Locator
from agent.stream.messages import (
    HOOK_LINE_MAX,
    HOOK_LINES_MAX,
    LABEL_MAX,
    TOGETHER_MAX,
    AskBarrier,
    BarrierReached,
    Begin,
    Seal,
    Sums,
    Together,
    bad,
)

_GROUPS_BYTES = BUCKETS // GROUP * WIDTH
_GROUP_SUMS = GROUP * SUM_BYTES


class _Field(Protocol):
    """A message that may lack a field; generated code has no common type for it."""

    def HasField(self, name: Any) -> bool: ...  # noqa: N802  # protobuf's name; each class takes its own literals


def fill_locator(out: Any, locator: Locator) -> None:
    """Into a repeated field."""
    for mark in locator:
        _fill_mark(out.add(), mark)


def read_locator(marks: Sequence[pb.CommitMark]) -> Locator:
    """Raises ``WireError``, as all that reads here."""
    if len(marks) > LOCATOR_MAX:
        raise bad(f"{len(marks)} commits in its locator")
    locator = tuple(map(_read_mark, marks))
    if any(older.number >= newer.number for newer, older in pairwise(locator)):
        raise bad("a locator whose commits do not fall")
    return locator


def _fill_mark(out: Any, mark: CommitMark) -> None:
    out.epoch, out.number, out.digest = mark.epoch, mark.number, mark.digest


def _read_mark(mark: pb.CommitMark) -> CommitMark:
    if len(mark.epoch) != TOKEN_SIZE or len(mark.digest) != NAME_SIZE or not may_be_sealed(mark.number):
        raise bad("a commit without its epoch or digest")
    return CommitMark(mark.epoch, number(mark.number), mark.digest)


def read_mark_of(message: _Field, field: str) -> CommitMark | None:
    """The mark in an optional field."""
    return _read_mark(getattr(message, field)) if message.HasField(field) else None


def fill_provenance(out: Any, seal: Seal) -> None:
    """What is told of the sealed commit beside its rows."""
    made = seal.provenance
    out.barrier = seal.barrier
    if made is not ORDINARY:
        out.kind, out.reached, out.label = made.kind, made.reached, made.label
    if seal.same_as is not None:
        _fill_mark(out.same_as, seal.same_as)


def read_provenance(seal: pb.Seal) -> Provenance:
    """Without ``same_as``: who receives it knows that commit by another number, or not at all."""
    if not (seal.kind or seal.reached or seal.label):
        return ORDINARY
    if len(seal.label) > LABEL_MAX:
        raise bad("a label that is too long")
    try:
        return Provenance(CommitKind(seal.kind), Quiesced(seal.reached), label=seal.label)
    except ValueError as error:
        raise bad("a commit of an unknown kind") from error


def fill_begin(part: Any, begin: Begin) -> None:
    """How a commit begins."""
    out = part.begin
    out.id, out.number, out.parent, out.buckets = begin.id, begin.number, begin.parent, begin.buckets
    if begin.back is not None:
        _fill_mark(out.back, begin.back)


def read_begin(begin: pb.Begin) -> Begin:
    """How a commit begins: by going back, or with the rows of some buckets."""
    back = read_mark_of(begin, "back")
    if len(begin.buckets) != (BUCKETS // 8 if back is None else 0) or (back is not None) != bool(begin.id):
        raise bad("a beginning that is none")
    return Begin(begin.id, number(begin.number), number(begin.parent), back, begin.buckets)


def fill_sums(part: Any, sums: Sums) -> None:
    """Of groups, or of buckets."""
    out = part.sums
    out.number, out.groups = sums.number, sums.groups
    out.differing, out.buckets = sums.differing, sums.buckets


def read_sums(sums: pb.Sums) -> Sums:
    """Of all groups, or of the buckets in groups whose numbers rise."""
    groups, differing = sums.groups, sums.differing
    if (
        len(groups) not in (0, _GROUPS_BYTES)
        or (groups and differing)
        or len(sums.buckets) != len(differing) * _GROUP_SUMS
    ):
        raise bad("sums of other groups than it names")
    if any(before >= after for before, after in pairwise(differing)):
        raise bad("groups whose numbers do not rise")
    return Sums(number(sums.number), groups, differing, sums.buckets)


def fill_barrier(part: Any, barrier: AskBarrier) -> None:
    """A mark that is to come back in a seal."""
    part.barrier.id, part.barrier.quiesce = barrier.id, barrier.quiesce
    if (asked := barrier.together) is not None:
        out = part.barrier.together
        out.group, out.moment = asked.group, asked.moment
        out.datasets.extend(asked.datasets)


def read_barrier(barrier: pb.AskBarrier) -> AskBarrier:
    """Its id is above 0."""
    if not barrier.id:
        raise bad("a barrier without an id")
    return AskBarrier(counted(barrier.id), barrier.quiesce, _read_together(barrier))


def _read_together(barrier: pb.AskBarrier) -> Together | None:
    """With whom; bounded, in words that may be names."""
    if not barrier.HasField("together"):
        return None
    asked = barrier.together
    words = (asked.group, asked.moment, *asked.datasets)
    if not all(words) or len(asked.datasets) > TOGETHER_MAX or any(len(word) > HOOK_LINE_MAX for word in words):
        raise bad("a moment of a group that is none, or too many")
    return Together(asked.group, asked.moment, tuple(asked.datasets))


def fill_reached(out: Any, barrier: BarrierReached | None) -> None:
    """Into a heartbeat that may have none."""
    if barrier is not None:
        said = out.barrier
        said.id, said.number, said.reached = barrier.id, barrier.number, barrier.reached
        said.stood_still, said.failed = barrier.stood_still, barrier.failed[:HOOK_LINE_MAX]
        said.moment, said.remedy, said.lasting = barrier.moment, barrier.remedy[:HOOK_LINE_MAX], barrier.lasting
        said.hooks.extend(line[:HOOK_LINE_MAX] for line in barrier.hooks[:HOOK_LINES_MAX])


def read_reached(heartbeat: pb.Heartbeat) -> BarrierReached | None:
    """Bounded; how far the source stood still is one of what we know."""
    if not heartbeat.HasField("barrier"):
        return None
    said = heartbeat.barrier
    lines = (*said.hooks, said.failed, said.moment, said.remedy)
    if not said.id or len(said.hooks) > HOOK_LINES_MAX or any(len(line) > HOOK_LINE_MAX for line in lines):
        raise bad("an answer to a barrier that is none, or too long")
    try:
        reached = Quiesced(said.reached)
    except ValueError as error:
        raise bad("a barrier of an unknown kind") from error
    still = counted(said.stood_still)
    words = (tuple(said.hooks), said.failed, said.moment, said.remedy)
    return BarrierReached(counted(said.id), number(said.number), reached, still, *words, said.lasting)
