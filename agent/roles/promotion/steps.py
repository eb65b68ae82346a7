"""The steps of a promotion, in order. Each may be run twice (``steps.runner``).

Until ``role`` nothing has changed, and what fails leaves the standby that it was; from then on the node goes on to be the primary
whatever fails, since another may never reign in the same epoch (law 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from agent.core.errors import Refused
from agent.core.ids import NOTHING, CommitNumber
from agent.status.promotion import NEVER_FORCED, Gate, gate_json, unmet
from agent.steps.hooks import HookResult
from agent.steps.record import Facts, StepsRecord
from agent.steps.runner import Step, StepOutcome

#: The kind of such a record, and the file that it stands in.
KIND, RECORD = "promotion", "promotion.json"
OPERATION = "promote"
#: The fact from which commit the new epoch begins.
COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class WantedPromotion:
    """What was asked for. ``reason``, ``approved_by``: as typed; ``typist``: who typed it; ``force``: although gates are not met;
    ``lost``: paths that were said to be lost when it was begun, and their ``sizes`` in bytes; ``moment``: the commit that is to
    be served, ``NOTHING`` for the newest, and ``words``: which that is, for people."""

    dataset: str
    reason: str = ""
    approved_by: str = ""
    typist: str = ""
    force: bool = False
    lost: tuple[str, ...] = ()
    moment: CommitNumber = NOTHING
    words: str = "the newest commit"
    sizes: tuple[int, ...] = ()

    def as_facts(self) -> dict[str, Any]:  # Any: see ``Facts``
        """As it stands in the record."""
        return {
            "dataset": self.dataset,
            "reason": self.reason,
            "approved_by": self.approved_by,
            "typist": self.typist,
            "force": self.force,
            "lost": list(self.lost),
            "moment": self.moment,
            "words": self.words,
            "sizes": list(self.sizes),
        }


def wanted_promotion(arguments: Facts) -> WantedPromotion:
    """What a record was asked with; what another release did not write is as if it had not been asked for."""
    dataset, reason, approved_by, typist = (
        str(arguments.get(key, "")) for key in ("dataset", "reason", "approved_by", "typist")
    )
    lost = tuple(map(str, arguments.get("lost", ())))
    moment, words = CommitNumber(int(arguments.get("moment", NOTHING))), str(arguments.get("words", ""))
    force, sizes = arguments.get("force") is True, tuple(map(int, arguments.get("sizes", ())))
    return WantedPromotion(dataset, reason, approved_by, typist, force, lost, moment, words, sizes)


class PromotionWorld(Protocol):
    """What the steps act on. Everything raises ``HikaeError``; ``CalledOff`` once the agent is to end."""

    def gates(self) -> tuple[Gate, ...]:
        """As they are now, with the primary and the other standbys asked, where they were not a moment ago."""
        ...

    def gates_at_last(self) -> tuple[Gate, ...]:
        """As they are now, with all of them asked whatever they said a moment ago."""
        ...

    def keep_before(self) -> str:
        """The newest whole commit is kept as a generation; its name."""
        ...

    def newest(self) -> CommitNumber:
        """Of what was received, ``NOTHING`` before anything was."""
        ...

    def has_role(self) -> int | None:
        """The number of the epoch whose record says that this node is the primary; None before that is durable."""
        ...

    def take_role(self) -> int:
        """The record of an epoch of this node's own, above all that it met, is durable; its number."""
        ...

    def stand_at(self, moment: CommitNumber) -> str:
        """The standby equals that commit, which is held here, and stays there."""
        ...

    def serve(self) -> str:
        """What was received, or the moment that was named, is applied, the epoch is begun with it and the root is watched; what
        was done, for people."""
        ...

    def run_hook(self, name: str) -> HookResult: ...


def in_the_way(gates: tuple[Gate, ...], *, force: bool, named: bool) -> tuple[Gate, ...]:
    """The gates that keep a promotion from being done, by force or without. ``named``: the operator says which moment is to be
    served, so that what the newest commit is does not matter; where it is to stand does."""
    lacking = [gate for gate in unmet(gates) if not (named and gate.or_moment)]
    return tuple(gate for gate in lacking if not force or gate.name in NEVER_FORCED)


def refused_by(dataset: str, gates: tuple[Gate, ...], *, force: bool, named: bool) -> Refused | None:
    """Why it may not be; None where it may; see :func:`in_the_way`. All gates are told, met or not."""
    way = in_the_way(gates, force=force, named=named)
    if not way:
        return None
    first = way[0]
    more = f", and {len(way) - 1} more gates are not met" if len(way) > 1 else ""
    passable = not force and not any(gate.name in NEVER_FORCED for gate in way)
    forced = f"; to go on all the same: hikae promote {dataset} --force --yes" if passable else ""
    remedy = f"{first.remedy or 'hikae status says what leads on'}{forced}"
    return Refused(OPERATION, dataset, f"{first.name}: {first.value}{more}", remedy, tuple(map(gate_json, gates)))


def _gates(world: PromotionWorld, record: StepsRecord) -> StepOutcome:
    return _judged(world.gates(), record)


def _judged(gates: tuple[Gate, ...], record: StepsRecord) -> StepOutcome:
    wanted = wanted_promotion(record.arguments)
    refused = refused_by(wanted.dataset, gates, force=wanted.force, named=wanted.moment != NOTHING)
    if refused is not None:
        raise refused
    lacking = unmet(gates)
    if not lacking:
        return StepOutcome(f"all {len(gates)} are met")
    return StepOutcome(f"forced, though {', '.join(f'{one.name}: {one.value}' for one in lacking)}")


def _generation(world: PromotionWorld, _record: StepsRecord) -> StepOutcome:
    name = world.keep_before()
    return StepOutcome(name, {"generation_before": name})


def _role(world: PromotionWorld, record: StepsRecord) -> StepOutcome:
    number, learned = world.has_role(), dict[str, Any]()
    wanted = wanted_promotion(record.arguments)
    if number is None:
        # The primary may have come back since the first look, or the agent was down in between: nobody's word of before counts.
        _judged(world.gates_at_last(), record)
        learned[COMMIT] = wanted.moment or world.newest()
        number = world.take_role()
    learned |= {"epoch": number, "lost": list(wanted.lost), "lost_sizes": list(wanted.sizes)}
    return StepOutcome(f"epoch {number}", learned)


def _serve(world: PromotionWorld, _record: StepsRecord) -> StepOutcome:
    return StepOutcome(world.serve())


def _moment(world: PromotionWorld, record: StepsRecord) -> StepOutcome:
    wanted = wanted_promotion(record.arguments)
    if world.has_role() is not None:
        return StepOutcome(wanted.words or "the newest commit")
    # Known before the role changes: an agent that ended in the middle of that finds its own first commit.
    if wanted.moment == NOTHING:
        return StepOutcome(wanted.words or "the newest commit", {COMMIT: world.newest()})
    return StepOutcome(world.stand_at(wanted.moment), {COMMIT: wanted.moment})


def _hook(name: str) -> Step[PromotionWorld]:
    return Step(name, lambda world, _: StepOutcome(world.run_hook(name).sentence()))


TABLE: tuple[Step[PromotionWorld], ...] = (
    Step("gates", _gates),
    Step("generation", _generation),
    _hook("before_promote"),
    Step("moment", _moment),
    Step("role", _role),
    Step("serve", _serve),
    _hook("start"),
    _hook("after_promote"),
)
