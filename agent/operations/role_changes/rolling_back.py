"""A living primary's tree goes back to an earlier moment."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from agent.core.errors import Refused, TryAgain, Unreachable, UsageError
from agent.operations.declaration import DatasetRequest, FromAfar, Json, dataset_operation, each_call
from agent.operations.role_changes.own_state import refuse_own_place
from agent.operations.role_changes.standby_meant import StandbyWords, standby_meant
from agent.operations.role_changes.stepping import done
from agent.operations.running import DatasetCall
from agent.status.figures import stamp
from agent.status.published import number_json
from agent.status.state import Role
from agent.status.text import shown

if TYPE_CHECKING:
    from agent.generations.afar import FoundMoment, NamedMoment
    from agent.roles.rollback.steps import WantedRollback

_STEP = 0.5
#: Characters of a note that are kept.
_NOTE = 1024
_OPERATION = "rollback"


@dataclass(frozen=True, slots=True)
class RollbackRequest(DatasetRequest[Json]):
    """Bring the tree back to a moment, which ``generation`` or ``at`` names, read on ``node`` ("": where its history is kept).

    ``{"dataset", "epoch", "role", "rto_ms", "lost", "generation_before", "steps": [{"name", "ms", "result"}]}``; with
    ``dry_run`` nothing is done: ``{"dataset", "moment", "node", "generation", "commit", "time", "entries", "bytes", "incomplete",
    "gates", "steps"}``, ``generation``: its name, null for a moment of history; ``steps``: the names of what would be done.
    ``Refused`` while a process may be writing into the tree, unless ``force``. It goes on when nobody waits for it any more."""

    at: str = ""
    generation: str = ""
    node: str = ""
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class GenerationsBeforeRequest(DatasetRequest[Json]):
    """Keep the newest whole commit as a generation, since something is about to overwrite what stands: ``{"generation",
    "commit", "incomplete"}``, the commit as a number; ``incomplete``: files of it whose content never came."""

    note: str = ""


def _does(request: RollbackRequest) -> bool:
    return not request.dry_run


@dataset_operation(
    "generations-before",
    GenerationsBeforeRequest,
    role=Role.STANDBY,
    long=True,
    changes=each_call,
    # What is kept so stays for a week, and each is looked at in each upkeep: a stranger must not take thousands.
    afar=FromAfar(every=10.0),
    typed="generations take",
)
def _before(call: DatasetCall, request: GenerationsBeforeRequest) -> Json:
    from agent.generations.taking import WantedGeneration, require_few
    from agent.store.catalog.generation import Cause

    side = call.member.standby()
    with side.reader() as reader:
        require_few(reader, call.dataset, call.peer)
    one = side.taker.keep_newest(WantedGeneration(Cause.BEFORE, note=shown(request.note[:_NOTE])))
    return {"generation": one.name, "commit": one.number, "incomplete": one.incomplete}


@dataset_operation("rollback", RollbackRequest, role=None, long=True, changes=_does)
def _rollback(call: DatasetCall, request: RollbackRequest) -> Json:
    if call.member.role is Role.STANDBY:
        return _standby_back(call, request)
    refuse_own_place(call, _OPERATION)
    wanted, found = _named(call, request)
    if request.dry_run:
        return _plan(call, wanted, found)
    if found.owed and not request.force:
        reason = f"{found.owed:,} files of that moment never came whole"
        raise Refused(_OPERATION, call.dataset, reason, "name another moment, or add --force to go without them")
    mark = call.member.primary().reign.mark
    if mark is not None:
        raise Refused(_OPERATION, call.dataset, mark.sentence, "hikae status says what leads out of it")
    from agent.roles.rollback.steps import KIND

    return done(call, KIND, wanted.as_facts())


def _named(call: DatasetCall, request: RollbackRequest) -> tuple[WantedRollback, FoundMoment]:
    """Which moment is meant, as the node says that it is read on. Raises what is raised there."""
    from agent.generations.afar import NamedMoment
    from agent.roles.rollback.steps import WantedRollback

    if bool(request.at) == bool(request.generation):
        raise UsageError(_OPERATION, call.dataset, "one of --at and --generation is needed, and only one")
    at, node = _with_zone(request.at), _node(call, request.node)
    found = _moment(call, node, NamedMoment(call.dataset, request.generation, at, "hikae rollback"))
    moment = found.moment
    # By what nobody takes it from any more: the newest generation may be another by then.
    generation = moment.name or request.generation
    wanted = WantedRollback(call.dataset, node, generation, at, found.mark.digest, moment.sentence(), request.force)
    return wanted, found


def _moment(call: DatasetCall, node: str, named: NamedMoment) -> FoundMoment:
    """As that node finds it. Raises what is raised there, with the way that needs no other node, if there is one."""
    try:
        return call.agent.moment(node, named)
    except Unreachable as error:
        if not call.member.keeps_history:
            raise
        said = f"--generation {named.generation}" if named.generation else f"--at {shlex.quote(named.at)}"
        own = f"hikae restore {call.dataset} {said} --in-place, with the application stopped"
        remedy = f"{error.remedy}; or, from what this node itself received: {own}"
        raise Unreachable(error.operation, error.subject, error.reason, remedy) from error


def _with_zone(at: str) -> str:
    """A local time with its zone: clocks elsewhere may show another. Raises ``UsageError``."""
    import time

    from agent.generations.local_time import zoned_text

    return zoned_text(at, time.time_ns())


def _node(call: DatasetCall, asked: str) -> str:
    """Where the moment is read."""
    return standby_meant(call, asked, _OPERATION, StandbyWords("history", "keeps its history", "--from"))


def _look(call: DatasetCall) -> None:
    """Raises ``TryAgain`` once the agent is to end."""
    if call.agent.stopping.is_set():
        raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "type it again when it is back")


def _plan(call: DatasetCall, wanted: WantedRollback, found: FoundMoment) -> Json:
    from agent.roles.rollback.steps import TABLE

    writers = call.member.primary().writing.found(partial(_look, call))
    hook = call.member.dataset.hooks.stop
    gates = [
        {
            "name": "writers",
            "ok": not writers or hook is not None,
            "value": "; ".join(one.sentence() for one in writers) or "none",
            "limit": "none",
            "measured": stamp(time.time_ns()),
            "remedy": "the stop hook runs first" if hook else "end what writes, or add --force",
        }
    ]
    return {
        "dataset": call.dataset,
        "moment": wanted.words,
        "node": wanted.node,
        "generation": found.moment.name or None,
        "commit": number_json(found.mark.number),
        "time": stamp(found.moment.time),
        "entries": found.entries,
        "bytes": found.bytes,
        "incomplete": found.owed,
        "gates": gates,
        "steps": [step.name for step in TABLE],
    }


def _standby_back(call: DatasetCall, request: RollbackRequest) -> Json:
    """The standby here goes back, by what this node holds, and stays there."""
    import time

    from agent.generations.moments import Watching, moment_of

    side, begun = call.member.standby(), time.monotonic()
    if request.node not in ("", call.member.node):
        reason = "a standby goes back by the history of its own node"
        raise UsageError(_OPERATION, call.dataset, reason, "leave --from away")
    with side.reader() as reader:
        asking = Watching(time.time_ns())
        moment = moment_of(reader, call.dataset, request.generation, request.at, asking)
        commit, owed = reader.commit_at(moment.number), reader.owed_count(moment.number)
    if commit is None:
        raise TryAgain(_OPERATION, call.dataset, "that moment is being expired just now", "name another")
    if request.dry_run:
        return {
            "dataset": call.dataset,
            "moment": f"{moment.sentence()}: the standby here, which stays there until hikae resume {call.dataset}",
            "node": call.member.node,
            "generation": moment.name or None,
            "commit": number_json(commit.number),
            "time": stamp(commit.time),
            "entries": commit.entries,
            "bytes": commit.bytes,
            "incomplete": owed,
            "gates": [],
        }
    side.require_no_rehearsal(_OPERATION)
    side.back.go(commit)
    call.member.steer()
    while not side.loop.wait_for(lambda facts: facts.applied == commit.number, _STEP):
        if call.agent.stopping.is_set() or call.member.side is not side:
            raise TryAgain(_OPERATION, call.dataset, "the agent is stopping", "it goes on when the agent is back")
        facts = side.loop.facts()
        call.progress({"phase": _OPERATION, "waits_for": facts.problem or "the standby to be there"})
    ms = round((time.monotonic() - begun) * 1000)
    return {
        "dataset": call.dataset,
        "epoch": call.member.facts().epoch,
        "role": call.member.role.value,
        "rto_ms": ms,
        "lost": [],
        "generation_before": None,
        "steps": [{"name": "converge", "ms": ms, "result": moment.sentence()}],
    }
