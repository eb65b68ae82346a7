"""Generations: what is kept beyond history. Asked of the node that has the vault."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.core.errors import TryAgain
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, each_call, no_call
from agent.operations.running import DatasetCall
from agent.status.figures import stamp
from agent.status.published import number_json
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.config.values import Generations
    from agent.core.commit import Commit
    from agent.generations.own_bytes import OwnBytes
    from agent.generations.retention import RetentionVerdict
    from agent.node.reigning.own_history import OwnHistory
    from agent.node.standby import Standby
    from agent.store.catalog.generation import Generation
    from agent.store.catalog.reader import CatalogReader

#: Over so long the rules are simulated (ns): three years.
SIMULATED = 3 * 365 * 86_400 * 10**9
#: How far the source stood still, in words; by ``Quiesced``.
_REACHED = ("file-consistent", "crash-consistent", "application-consistent")


@dataclass(frozen=True, slots=True)
class GenerationsListRequest(DatasetRequest[list[Json]]):
    """Every generation, the oldest first: ``[{"generation", "node", "time", "label", "pinned", "entries", "bytes", "own_bytes",
    "shared_bytes", "consistency", "incomplete", "together"}]``; ``together``: what those of other datasets have too that are of
    the same moment (``GROUP/NAME``), "" for one by itself; ``own_bytes``: what the vault keeps for its commit alone, as it lies
    there, counted by versions of files (a chunk that another file has too is counted nevertheless); ``shared_bytes``: what of
    ``bytes`` other moments have too, as files hold it; both null where that are too many to be counted now."""

    ANSWER = list


@dataclass(frozen=True, slots=True)
class GenerationsShowRequest(DatasetRequest[Json]):
    """All that is known of one generation: what the list has, and ``{"commit", "digest", "state_time", "cause",
    "immutable_until", "stood_still_ms", "note", "hooks", "lacking"}``; ``lacking``: the first paths that a divergence lacks,
    since somebody changed them before the vault had them. ``NotFound`` for none of that name, ``UsageError`` for several."""

    generation: str = ""


@dataclass(frozen=True, slots=True)
class GenerationsTakeRequest(DatasetRequest[Json]):
    """Take a generation of what the source is now: ``{"generation", "commit", "digest", "consistency", "stood_still_ms",
    "note"}``; ``note``: where the primary does not answer, that the newest commit here was kept."""

    label: str = ""
    pin: bool = False


@dataclass(frozen=True, slots=True)
class GenerationsPinRequest(DatasetRequest[Json]):
    """Keep a generation until it is unpinned: ``{"generation", "pinned"}``."""

    generation: str = ""

    @property
    def operands(self) -> tuple[str, ...]:
        """See ``DatasetRequest``."""
        return (self.generation,)


@dataclass(frozen=True, slots=True)
class GenerationsUnpinRequest(DatasetRequest[Json]):
    """From now on the rules decide about a generation: ``{"generation", "pinned"}``."""

    generation: str = ""

    @property
    def operands(self) -> tuple[str, ...]:
        """See ``DatasetRequest``."""
        return (self.generation,)


@dataclass(frozen=True, slots=True)
class GenerationsExpireRequest(DatasetRequest[Json]):
    """Let go of the generations that no rule of this node's configuration keeps: ``{"goes": [{"generation", "why",
    "label"}], "stays": [{"generation", "why", "label"}], "bytes"}``; ``bytes``: what those that go keep of the vault,
    each counted alone; null: not counted.
    With ``dry_run`` nothing goes. What pins, ``immutable_for`` and readers hold stays, whoever asks. With ``simulate`` nothing
    goes either, and what is answered is what the rules would keep after three years of the schedule: ``{"schedule", "until",
    "simulated": [{"time", "why"}], "more"}``; ``more``: older ones would stay too, too many to be told."""

    dry_run: bool = False
    simulate: bool = False


def _lets_go(request: GenerationsExpireRequest) -> bool:
    return not (request.dry_run or request.simulate)


def _unpinned(request: GenerationsTakeRequest) -> bool:
    """Only who sits at the vault decides what stays for good."""
    return not request.pin


@dataset_operation(
    "generations-list",
    GenerationsListRequest,
    role=Role.STANDBY,
    long=True,
    changes=no_call,
    afar=FromAfar(),
    of_history=True,
)
def _list(call: DatasetCall, _request: GenerationsListRequest) -> list[Json]:
    from agent.generations.own_bytes import own_bytes

    side = call.member.history()
    with side.reader() as reader:
        found = [(one, reader.commit_at(one.number)) for one in reader.generations()]
        own = own_bytes(reader, side.vault, {one.number for one, _ in found})
    return [_listed(call, one, commit, own[one.number]) for one, commit in found if commit is not None]


@dataset_operation(
    "generations-show",
    GenerationsShowRequest,
    role=Role.STANDBY,
    long=True,
    changes=no_call,
    afar=FromAfar(),
    of_history=True,
)
def _show(call: DatasetCall, request: GenerationsShowRequest) -> Json:
    from agent.generations.moments import named
    from agent.generations.own_bytes import own_bytes

    side = call.member.history()
    with side.reader() as reader:
        one = named(reader.generations(), call.dataset, request.generation)
        commit, promised = reader.commit_at(one.number), side.keeper.promised_until(reader, one)
        own = own_bytes(reader, side.vault, [one.number])[one.number] if commit is not None else None
    if commit is None:
        raise TryAgain("show the generation", one.name, "it is being expired just now", "list them again")
    return _shown(call, replace(one, immutable_until=promised), commit, own)


@dataset_operation(
    "generations-take",
    GenerationsTakeRequest,
    role=Role.STANDBY,
    long=True,
    changes=each_call,
    afar=FromAfar(_unpinned, every=60.0),
)
def _take(call: DatasetCall, request: GenerationsTakeRequest) -> Json:
    from agent.generations.labels import check_label
    from agent.generations.taking import WantedGeneration, require_few
    from agent.store.catalog.generation import Cause

    check_label("take a generation", request.label)
    side = call.member.standby()
    with side.reader() as reader:
        require_few(reader, call.dataset, call.peer)

    def still_wanted() -> None:
        if call.agent.stopping.is_set():
            raise TryAgain("take a generation", call.dataset, "the agent is stopping")
        call.progress({"phase": "take", "waits_for": "the primary to say what is written"})

    one = side.taker.take(WantedGeneration(Cause.DEMAND, request.label, request.pin), still_wanted)
    return taken(side, one)


def taken(side: Standby, one: Generation) -> Json:
    """What is told of a generation that was taken."""
    with side.reader() as reader:
        commit = reader.commit_at(one.number)
    return {
        "generation": one.name,
        "commit": number_json(one.number),
        "digest": commit.digest.hex() if commit is not None else None,
        "consistency": _REACHED[one.reached],
        "stood_still_ms": one.stood_still / 1e6,
        "note": one.note,
    }


@dataset_operation(
    "generations-pin", GenerationsPinRequest, role=Role.STANDBY, long=True, changes=each_call, of_history=True
)
def _pin(call: DatasetCall, request: GenerationsPinRequest) -> Json:
    return _pinned(call, request.generation, pinned=True)


@dataset_operation(
    "generations-unpin", GenerationsUnpinRequest, role=Role.STANDBY, long=True, changes=each_call, of_history=True
)
def _unpin(call: DatasetCall, request: GenerationsUnpinRequest) -> Json:
    return _pinned(call, request.generation, pinned=False)


@dataset_operation(
    "generations-expire", GenerationsExpireRequest, role=Role.STANDBY, long=True, changes=_lets_go, of_history=True
)
def _expire(call: DatasetCall, request: GenerationsExpireRequest) -> Json:
    side = call.member.history()
    if request.simulate:
        return _simulated(side.dataset.generations)
    with side.reader() as reader:
        verdicts = side.keeper.verdicts(reader)
        freed = _freed(reader, side, verdicts)
    if not request.dry_run:
        verdicts = side.errands.run("expire generations", side.keeper.expire_all)
    return _judged(verdicts, freed)


def _freed(reader: CatalogReader, side: Standby | OwnHistory, verdicts: list[RetentionVerdict]) -> int | None:
    """What those that go keep of the vault, each counted alone; None where that was not counted of one."""
    from agent.generations.own_bytes import own_bytes

    stays = {one.generation.number for one in verdicts if not one.goes}
    own = own_bytes(reader, side.vault, {one.generation.number for one in verdicts if one.goes} - stays)
    counted = [one.stored for one in own.values() if one is not None]
    return sum(counted) if len(counted) == len(own) else None


def _simulated(rules: Generations) -> Json:
    from agent.generations.simulation import kept_after_years

    now = time.time_ns()
    kept, more = kept_after_years(rules, now, now + SIMULATED)
    simulated = [{"time": stamp(one.taken), "why": "; ".join(one.why)} for one in kept]
    return {"schedule": rules.schedule, "until": stamp(now + SIMULATED), "simulated": simulated, "more": more}


def _judged(verdicts: list[RetentionVerdict], freed: int | None) -> Json:
    goes = [_verdict(one) for one in verdicts if one.goes]
    stays = [_verdict(one) for one in verdicts if not one.goes]
    return {"goes": goes, "stays": stays, "bytes": freed}


def _verdict(one: RetentionVerdict) -> Json:
    return {"generation": one.generation.name, "why": one.why, "label": one.generation.label}


def _pinned(call: DatasetCall, said: str, *, pinned: bool) -> Json:
    side = call.member.history()
    one = side.errands.run("pin the generation", lambda catalog: side.keeper.pin(catalog, said, pinned=pinned))
    return {"generation": one.name, "pinned": one.pinned}


def _listed(call: DatasetCall, one: Generation, commit: Commit, own: OwnBytes | None) -> Json:
    return {
        "generation": one.name,
        "node": call.member.node,
        "time": stamp(one.taken),
        "label": one.label,
        "pinned": one.pinned,
        "entries": commit.entries,
        "bytes": commit.bytes,
        "own_bytes": own.stored if own is not None else None,
        "shared_bytes": own.shared(commit.bytes) if own is not None else None,
        "consistency": _REACHED[one.reached],
        "incomplete": one.incomplete,
        "together": one.together,
    }


def _shown(call: DatasetCall, one: Generation, commit: Commit, own: OwnBytes | None) -> Json:
    import json

    from agent.node.rejoining.lacking import read_lacking

    lacking = read_lacking(call.member.home).get(one.number)
    return {
        **_listed(call, one, commit, own),
        "commit": number_json(one.number),
        "digest": commit.digest.hex(),
        "state_time": stamp(commit.time),
        "cause": str(one.cause),
        "immutable_until": stamp(one.immutable_until),
        "stood_still_ms": one.stood_still / 1e6,
        "note": one.note,
        "hooks": json.loads(one.hooks) if one.hooks else [],
        "lacking": [shown(path) for path in lacking.paths] if lacking is not None else [],
    }
