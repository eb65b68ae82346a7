"""The steps of a rejoin, in order. Each may be run twice (``steps.runner``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.core.errors import Refused
from agent.core.ids import CommitNumber, Epoch, shown_commit
from agent.fs.writers.processes import Writer
from agent.roles.writing import writer_gates
from agent.steps.hooks import HookFailed, HookResult
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome
from agent.stream.locator import CommitMark

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "rejoin", "rejoin.json"
_OPERATION = "rejoin"
_DEMOTED = "demoted"


@dataclass(frozen=True, slots=True)
class WantedRejoin:
    """What was asked for. ``epoch``: the reign that this node is to follow, as its owner proved it; ``common``: the newest commit
    that both know, None where none is known; ``force``: although somebody may be writing; the others as typed."""

    dataset: str
    epoch: Epoch
    common: CommitMark | None
    force: bool = False
    reason: str = ""
    approved_by: str = ""

    def as_facts(self) -> dict[str, Any]:  # Any: see ``Facts``
        """As it stands in the record."""
        common = self.common
        return {
            "dataset": self.dataset,
            "epoch": [self.epoch.number, self.epoch.owner, self.epoch.token.hex()],
            "common": [common.epoch.hex(), common.number, common.digest.hex()] if common is not None else None,
            "force": self.force,
            "reason": self.reason,
            "approved_by": self.approved_by,
        }


def rejoin_in(arguments: Facts) -> WantedRejoin:
    """What a record was asked with. Raises ``KeyError``, ``ValueError``, ``TypeError`` for another's."""
    number, owner, token = arguments["epoch"]
    common = None
    if arguments["common"] is not None:
        epoch, commit, digest = arguments["common"]
        common = CommitMark(bytes.fromhex(epoch), CommitNumber(commit), bytes.fromhex(digest))
    return WantedRejoin(
        str(arguments["dataset"]),
        Epoch(int(number), str(owner), bytes.fromhex(token)),
        common,
        arguments["force"] is True,
        str(arguments["reason"]),
        str(arguments["approved_by"]),
    )


@dataclass(frozen=True, slots=True)
class KeptDivergence:
    """What this node alone had. ``commit``: all that stands here; ``generation``: that keeps it, "" where nothing was its own;
    ``paths``: the first of the ``count`` that differ from the newest commit that both know; ``demoted``: whether it was a
    primary, and no standby that was ahead."""

    commit: CommitNumber
    generation: str
    paths: Sequence[str]
    count: int
    demoted: bool = False

    def sentence(self) -> str:
        """For people."""
        if not self.generation:
            return f"nothing was this node's alone; what stands here is commit {shown_commit(self.commit)}"
        if not self.count:
            return f"no path was this node's alone; generation {self.generation} keeps what stands here all the same"
        only = "1 path was" if self.count == 1 else f"{self.count:,} paths were"
        return f"{only} this node's alone: generation {self.generation} keeps {'it' if self.count == 1 else 'them'}"


class RejoinWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def run_hook(self, name: str) -> HookResult: ...

    def writers(self) -> list[Writer]:
        """Who may be writing into the tree now."""
        ...

    def now_ns(self) -> int:
        """By this node's clock, UTC."""
        ...

    def walk(self) -> str:
        """The whole tree was looked at, and what was found is committed; the commit, for people."""
        ...

    def keep(self) -> KeptDivergence:
        """What stands here is a commit of this node alone, and kept. Nothing is captured from now on."""
        ...

    def become_standby(self) -> str:
        """This node is a standby of the new primary, durably; of whom, for people."""
        ...

    def follow(self) -> str:
        """The standby is at a consistent commit of the new primary, or is on its way; which, for people."""
        ...


def _writers(world: RejoinWorld, record: StepsRecord) -> StepOutcome:
    found = world.writers()
    if not found:
        return StepOutcome("nobody has a file open for writing")
    if record.arguments["force"]:
        return StepOutcome(f"{len(found)} may be writing; it was forced")
    raise _refused_for(str(record.arguments["dataset"]), found, world.now_ns())


def _walk(world: RejoinWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.walk())


def _divergence(world: RejoinWorld, _record: StepsRecord) -> StepOutcome:
    kept = world.keep()
    before = kept.generation or None
    learned = {"commit": kept.commit, "generation_before": before, "lost": list(kept.paths), _DEMOTED: kept.demoted}
    return StepOutcome(kept.sentence(), learned)


def _role(world: RejoinWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.become_standby())


def _follow(world: RejoinWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.follow())


def _after_demote(world: RejoinWorld, record: StepsRecord) -> StepOutcome:
    if not record.facts.get(_DEMOTED):
        return StepOutcome("it was no primary")
    try:
        return StepOutcome(world.run_hook("after_demote").sentence())
    except HookFailed as error:
        # It is a standby by now: nothing is left to end, and it is to follow.
        return StepOutcome(error.result.sentence())


TABLE: tuple[Step[RejoinWorld], ...] = (
    Step("writers", _writers),
    Step("walk", _walk),
    Step("divergence", _divergence),
    Step("role", _role),
    # Once it is a standby; how it comes up with the new primary is the last that is told.
    Step("after-demote", _after_demote),
    Step("follow", _follow),
)


def _refused_for(dataset: str, found: Sequence[Writer], now: int) -> Refused:
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    remedy = "end what writes, or add --force: what it writes from now on is overwritten or moved to .hikae/displaced"
    return Refused(_OPERATION, dataset, f"{found[0].sentence()}{more}", remedy, writer_gates(found, now))
