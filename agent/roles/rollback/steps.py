"""The steps of a rollback, in order. Each may be run twice (``steps.runner``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from agent.core.errors import Refused
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.fs.writers.processes import Writer
from agent.roles.writing import writer_gates
from agent.steps.hooks import HookResult
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "rollback", "rollback.json"
_KEPT = "kept_commit"


@dataclass(frozen=True, slots=True)
class WantedRollback:
    """What was asked for. ``node``: where the moment is read; ``generation`` or ``at``: how it is named there; ``digest``: of its
    state; ``words``: which it is, for people; ``force``: although somebody may be writing."""

    dataset: str
    node: str
    generation: str
    at: str
    digest: bytes
    words: str
    force: bool = False

    def as_facts(self) -> dict[str, Any]:  # Any: see ``Facts``
        """As it stands in the record."""
        return {
            "dataset": self.dataset,
            "node": self.node,
            "generation": self.generation,
            "at": self.at,
            "digest": self.digest.hex(),
            "words": self.words,
            "force": self.force,
        }


@dataclass(frozen=True, slots=True)
class KeptBefore:
    """What stood is a generation: its name, and the commit that it holds; ``NOTHING`` where who keeps it did not say."""

    generation: str
    commit: CommitNumber


def wanted_in(arguments: Facts) -> WantedRollback:
    """What a record was asked with. Raises ``KeyError``, ``ValueError`` for another's."""
    dataset, node, generation, at = (str(arguments[key]) for key in ("dataset", "node", "generation", "at"))
    digest = bytes.fromhex(str(arguments["digest"]))
    return WantedRollback(dataset, node, generation, at, digest, str(arguments["words"]), arguments["force"] is True)


def kept_commit(facts: Facts) -> CommitNumber:
    """The commit that the generation from before holds; ``NOTHING`` where that is not known."""
    return CommitNumber(facts.get(_KEPT, NOTHING))


class RollbackWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def run_hook(self, name: str) -> HookResult: ...

    def writers(self) -> list[Writer]:
        """Who may be writing into the tree now."""
        ...

    def now_ns(self) -> int:
        """By this node's clock, UTC."""
        ...

    def settle(self) -> str:
        """All that was written is captured, and durable where the moment is read; the commit, for people."""
        ...

    def keep_before(self) -> KeptBefore:
        """What stands is kept as a generation where the moment is read."""
        ...

    def take_up(self) -> CommitNumber:
        """The moment is the newest commit; its number. Nothing is captured from now on."""
        ...

    def converge(self, target: CommitNumber) -> str:
        """The tree is that commit; what was done, for people. Does not fail."""
        ...

    def walk(self) -> str:
        """The whole tree was looked at."""
        ...


def _stop(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.run_hook("stop").sentence())


def _writers(world: RollbackWorld, record: StepsRecord) -> StepOutcome:
    found = world.writers()
    if not found:
        return StepOutcome("nobody has a file open for writing")
    if record.arguments["force"]:
        lost = [one.sentence() for one in found]
        return StepOutcome(f"{len(found)} may be writing; it was forced", {"lost": lost})
    raise refused_for(str(record.arguments["dataset"]), found, world.now_ns())


def _settle(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.settle())


def _generation(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    kept = world.keep_before()
    return StepOutcome(kept.generation, {"generation_before": kept.generation, _KEPT: kept.commit})


def _commit(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    number = world.take_up()
    return StepOutcome(shown_commit(number), {"commit": number})


def _converge(world: RollbackWorld, record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.converge(CommitNumber(record.facts["commit"])))


def _walk(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.walk())


def _start(world: RollbackWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.run_hook("start").sentence())


TABLE: tuple[Step[RollbackWorld], ...] = (
    Step("stop", _stop),
    Step("writers", _writers),
    Step("barrier", _settle),
    Step("generation", _generation),
    Step("commit", _commit, final=True),
    Step("converge", _converge),
    Step("walk", _walk),
    Step("start", _start, always=True),
)


def refused_for(dataset: str, found: list[Writer], now: int) -> Refused:
    """Somebody may be writing into the tree, as was found at ``now`` (UTC ns)."""
    first = found[0].sentence()
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    remedy = "end what writes, or add --force: what it writes meanwhile may end up in .hikae/displaced"
    return Refused("roll back", dataset, f"{first}{more}", remedy, writer_gates(found, now))
