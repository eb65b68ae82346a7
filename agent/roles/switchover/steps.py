"""The steps of a switchover on the old primary, in order. Each may be run twice (``steps.runner``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.core.errors import Refused
from agent.core.ids import CommitNumber, Epoch, shown_commit
from agent.fs.writers.processes import Writer
from agent.roles.writing import writer_gates
from agent.status.promotion import NEVER_FORCED
from agent.steps.hooks import HookResult
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome
from agent.stream.guards import EVERY_GUARD, RoleGuards

#: The kind of such a record, and the file that it stands in; ``FINISH``: of one that handed over, and whose end nobody saw.
KIND, RECORD = "switchover", "switchover.json"
FINISH, FINISH_RECORD = "switchover-finish", "switchover-finish.json"
_EPOCH = "epoch"

Gates = Sequence[Mapping[str, Any]]  # Any: JSON


@dataclass(frozen=True, slots=True)
class WantedSwitchover:
    """What was asked for. ``to``: the node that is to be the primary; ``force``: although a gate is not met, or somebody may be
    writing; ``typist``: who typed it, for people; the others as typed."""

    dataset: str
    to: str
    force: bool = False
    reason: str = ""
    approved_by: str = ""
    typist: str = ""

    def as_facts(self) -> dict[str, Any]:  # Any: see ``Facts``
        """As it stands in the record."""
        return {
            "dataset": self.dataset,
            "to": self.to,
            "force": self.force,
            "reason": self.reason,
            "approved_by": self.approved_by,
            "typist": self.typist,
        }


def switchover_in(arguments: Facts) -> WantedSwitchover:
    """What a record was asked with. Raises ``KeyError`` for another's."""
    dataset, to, reason, approved = (str(arguments[key]) for key in ("dataset", "to", "reason", "approved_by"))
    # An earlier release did not write who.
    typist = str(arguments.get("typist", ""))
    return WantedSwitchover(dataset, to, arguments["force"] is True, reason, approved, typist)


class SwitchoverWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def run_hook(self, name: str) -> HookResult: ...

    def gates(self) -> Gates:
        """Those of the node that is to take over, as it judges them now, and this one's own."""
        ...

    def prepare(self) -> str:
        """That node has run what is to run before it takes over; what, for people."""
        ...

    def drain(self) -> str:
        """That node has nearly everything, while the application still writes; the commit, for people."""
        ...

    def writers(self) -> list[Writer]:
        """Who may be writing into the tree now."""
        ...

    def now_ns(self) -> int:
        """By this node's clock, UTC."""
        ...

    def settle(self) -> CommitNumber:
        """All that was written is a commit that stands on that node; its number."""
        ...

    def compare(self, number: CommitNumber) -> str:
        """The state of both nodes at that commit is the same; its digest, for people. Raises ``HikaeError`` where it is not."""
        ...

    def hand_over(self, number: CommitNumber) -> Epoch:
        """This node is durably a standby in a reign of the other, which is returned. Raises ``TryAgain`` where something was
        captured after ``number``; this node is the primary then, as after whatever else it raises."""
        ...

    def take_over(self, epoch: Epoch) -> Facts:
        """The other node reigns; how it went there (``{"steps"}``). Raises ``TryAgain`` when it does not answer."""
        ...


def _gates(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    gates = world.gates()
    missed = [gate for gate in gates if not gate["ok"]]
    if missed and not (record.arguments["force"] and may_be_forced(missed)):
        raise refused_for_gates(str(record.arguments["dataset"]), gates)
    if missed:
        return StepOutcome(f"forced although {', '.join(str(gate['name']) for gate in missed)} is not met")
    return StepOutcome(f"{len(gates)} are met")


def _hook(name: str) -> Step[SwitchoverWorld]:
    def act(world: SwitchoverWorld, _record: StepsRecord) -> StepOutcome:
        return StepOutcome(world.run_hook(name).sentence())

    return Step(name.replace("_", "-"), act)


def _prepare(world: SwitchoverWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.prepare())


def _drain(world: SwitchoverWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.drain())


def _writers(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    found = world.writers()
    if not found:
        return StepOutcome("nobody has a file open for writing")
    if record.arguments["force"]:
        return StepOutcome(f"{len(found)} may be writing; it was forced", {"lost": [one.sentence() for one in found]})
    raise _refused_for(str(record.arguments["dataset"]), found, world.now_ns())


def _barrier(world: SwitchoverWorld, _record: StepsRecord) -> StepOutcome:
    number = world.settle()
    return StepOutcome(f"commit {shown_commit(number)} stands there", {"commit": number})


def _compare(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.compare(CommitNumber(record.facts["commit"])))


def _hand_over(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    epoch = world.hand_over(CommitNumber(record.facts["commit"]))
    return StepOutcome(f"to {epoch.owner}, in epoch {epoch.number}", {_EPOCH: epoch_fact(epoch)})


def _take_over(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    epoch = handed_over(record)
    assert epoch is not None  # the step before has left it
    told = world.take_over(epoch)
    steps = ", ".join(f"{one['name']} {one['ms']} ms" for one in told["steps"])
    return StepOutcome(f"{epoch.owner} serves ({steps})" if steps else f"{epoch.owner} serves")


def _start(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    if handed_over(record) is not None:
        return StepOutcome("not here any more")
    if not any(one.name == "stop" for one in record.done):
        return StepOutcome("it was not stopped")
    return StepOutcome(world.run_hook("start").sentence())


def _after_demote(world: SwitchoverWorld, record: StepsRecord) -> StepOutcome:
    if handed_over(record) is None:
        return StepOutcome("this node keeps its place")
    return StepOutcome(world.run_hook("after_demote").sentence())


#: Who has handed over is demoted, also where the other node did not take it, or could not start the application.
_END = (Step("take-over", _take_over), Step("after-demote", _after_demote, always=True))

TABLE: tuple[Step[SwitchoverWorld], ...] = (
    Step("gates", _gates),
    Step("prepare", _prepare),
    Step("drain", _drain),
    _hook("before_demote"),
    _hook("stop"),
    Step("writers", _writers),
    Step("barrier", _barrier),
    Step("compare", _compare),
    Step("hand-over", _hand_over, final=True),
    *_END,
    # Whatever failed before the hand-over, this node serves again.
    Step("start", _start, always=True),
)

FINISH_TABLE: tuple[Step[SwitchoverWorld], ...] = _END


@dataclass(frozen=True, slots=True)
class StandsAt:
    """Where the standby of a node stands: its newest commit, of that digest (hex), and the one that it has applied."""

    commit: int
    digest: str
    applied: int


def is_equal(ours: StandsAt, theirs: StandsAt, guards: RoleGuards = EVERY_GUARD) -> bool:
    """Whether a node has the very state that is to be handed over to it, in its catalog and as files."""
    return ours == theirs or not guards.same_state


def what_lacks(wanted: WantedSwitchover, owed: int) -> str:
    """In words what goes without content there: what could not be read is outside the digest, so equal ones do not say it. Raises
    ``Refused`` unless it is forced."""
    if not owed:
        return ""
    lacks = f"{wanted.to} lacks some content of {owed:,} files"
    if not wanted.force:
        remedy = f"hikae status {wanted.dataset} on {wanted.to} says of which; or add --force"
        raise Refused("switch over", wanted.dataset, lacks, remedy)
    return f", and {lacks}; it was forced"


def refused_elsewhere(dataset: str, primary: str, handed: StandsAt, here: StandsAt) -> Refused:
    """The node that is to take over does not have any more what was handed to it."""
    reason = f"{primary} handed over at commit {shown_commit(handed.commit)}, and this node is at {shown_commit(here.commit)}"
    remedy = f"its state is an older copy, and {primary} has everything; there: hikae promote {dataset} --force"
    return Refused("take over", dataset, reason, remedy)


def epoch_fact(epoch: Epoch) -> str:
    """A reign as it stands in a record, and is told to the other node."""
    return f"{epoch.number} {epoch.token.hex()} {epoch.owner}"


def epoch_in(fact: object) -> Epoch:
    """The reign that was written so. Raises ``ValueError`` for what is none."""
    number, token, owner = str(fact).split(" ", 2)
    return Epoch(int(number), owner, bytes.fromhex(token))


def handed_over(record: StepsRecord) -> Epoch | None:
    """The reign that was handed over in these steps, or before they began; None: this node is the primary."""
    found = record.facts.get(_EPOCH, record.arguments.get(_EPOCH))
    return epoch_in(found) if found is not None else None


def refused_for_gates(dataset: str, gates: Gates) -> Refused:
    """A gate of the node that is to take over is not met."""
    missed = [gate for gate in gates if not gate["ok"]]
    reason = "; ".join(f"{gate['name']}: {gate['value']}" for gate in missed)
    remedy = "; ".join(dict.fromkeys(str(gate["remedy"]) for gate in missed if gate["remedy"]))
    forced = "; or add --force" if may_be_forced(missed) else ""
    return Refused("switch over", dataset, reason, f"{remedy}{forced}", tuple(dict(gate) for gate in gates))


def may_be_forced(missed: Gates) -> bool:
    """Whether an operator may go on all the same; not with what is not whole."""
    return NEVER_FORCED.isdisjoint(str(gate["name"]) for gate in missed)


def _refused_for(dataset: str, found: Sequence[Writer], now: int) -> Refused:
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    remedy = "let the stop hook end what writes; or add --force: what it writes from now on may be lost"
    return Refused("switch over", dataset, f"{found[0].sentence()}{more}", remedy, writer_gates(found, now))
