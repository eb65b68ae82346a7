"""A generation of each dataset of a group, all of one moment, on the node with their vaults: of each, or of none.

::

    every dataset is asked for in its own call → every commit is durable here → one generation each, under one name
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from agent.config.values import Settings
from agent.core.clock import Clock
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain
from agent.generations.naming import generation_name
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.node.following.asked_barriers import AskedBarrier
from agent.node.grouped.members import datasets_of
from agent.node.member import Member
from agent.node.standby import Standby
from agent.status.state import Role
from agent.store.catalog.generation import Generation
from agent.stream.messages import TOGETHER_MAX, Together

_TAKE = "take a generation of the group"


@dataclass(frozen=True, slots=True)
class TakesGroup:
    """``members``: the datasets of this node; ``still_wanted``: called at least each second, raises what is to end it."""

    members: Mapping[str, Member]
    settings: Settings
    clock: Clock
    still_wanted: Callable[[], None]

    def take(self, group: str, wanted: WantedGeneration) -> dict[str, Generation]:
        """One generation of each dataset of the group, in the order of the configuration.

        Raises ``NotFound`` for a group without any, ``Refused`` and ``TryAgain`` with the dataset that stands in the way: no
        generation of any is kept then."""
        sides = self._sides(group)
        for name, side in sides.items():
            if wanted.label:
                with _naming(group, name):
                    side.taker.require_new_label(wanted.label)
        answers = self._answers(group, sides)
        return self._kept(group, sides, wanted, answers)

    def _sides(self, group: str) -> dict[str, Standby]:
        datasets = datasets_of(self.settings, group)
        if not datasets:
            known = ", ".join(sorted({one.group for one in self.settings.datasets if one.group})) or "none"
            raise NotFound("find the group", group, f"this node knows: {known}", "see hikae config show")
        if len(datasets) > TOGETHER_MAX:
            reason = f"it has {len(datasets)} datasets, and {TOGETHER_MAX} have one moment at most"
            raise Refused(_TAKE, group, reason, "make two groups of it")
        members = {one.name: self.members[one.name] for one in datasets if one.name in self.members}
        _require_one_primary(group, members)
        return {name: member.standby() for name, member in members.items()}

    # --- the moment

    def _answers(self, group: str, sides: Mapping[str, Standby]) -> dict[str, SourceAnswer]:
        """What the primary said of each, all of one moment and durable here. Raises with the first that has none."""
        together = Together(group, secrets.token_hex(8), tuple(sides))
        asked: dict[str, AskedBarrier] = {}
        try:
            for name, side in sides.items():
                with _naming(group, name):
                    asked[name] = side.taker.ask_together(together)
            found = {}
            for name, side in sides.items():
                with _naming(group, name):
                    found[name] = side.taker.arrived_together(asked[name], self.still_wanted)
            return found
        finally:
            for name, one in asked.items():
                sides[name].taker.forget(one)

    # --- what is kept

    def _kept(
        self,
        group: str,
        sides: Mapping[str, Standby],
        wanted: WantedGeneration,
        answers: Mapping[str, SourceAnswer],
    ) -> dict[str, Generation]:
        now = self.clock.now_ns()
        name = generation_name(now, _names_of(sides.values()))
        wanted = replace(wanted, together=f"{group}/{name}", at=now)
        kept: dict[str, Generation] = {}
        try:
            for dataset, side in sides.items():
                with _naming(group, dataset):
                    kept[dataset] = side.taker.keep_together(wanted, answers[dataset])
        except HikaeError as error:
            self._take_back(group, sides, kept, error)
            raise
        return kept

    def _take_back(
        self, group: str, sides: Mapping[str, Standby], kept: Mapping[str, Generation], error: HikaeError
    ) -> None:
        """Half a moment is none. Raises where that cannot be undone, with what is left of it."""
        for dataset, one in kept.items():
            try:
                sides[dataset].taker.take_back(one)
            except HikaeError as stays:
                reason = f"{error.reason}; generation {one.name} of {dataset} is kept, and has none beside it: {stays.reason}"
                remedy = f"hikae generations unpin {dataset} {one.name}" if one.pinned else "the rules let go of it"
                raise TryAgain(_TAKE, group, reason, remedy) from error


def _require_one_primary(group: str, members: Mapping[str, Member]) -> None:
    """Raises ``Refused`` unless this node is the standby of all, and one other node the primary."""
    for name, member in members.items():
        if member.role is not Role.STANDBY:
            reason = f"{name} is {member.role.value} here, and a moment of the group is of one primary"
            raise Refused(_TAKE, group, reason, f"hikae switchover {name} brings it to where the others are")
    primaries = {member.assigned.primary: name for name, member in members.items()}
    if len(primaries) > 1:
        where = ", ".join(f"{name} on {node}" for node, name in sorted(primaries.items()))
        reason = f"its datasets have several primaries ({where}), and a moment of the group is of one"
        raise Refused(_TAKE, group, reason, "hikae switchover DATASET brings one to where the others are")


def _names_of(sides: Iterable[Standby]) -> set[str]:
    found: set[str] = set()
    for side in sides:
        with side.reader() as reader:
            found |= {one.name for one in reader.generations()}
    return found


@contextmanager
def _naming(group: str, dataset: str) -> Iterator[None]:
    """What is raised says whose it is, and that nothing was kept."""
    try:
        yield
    except (Refused, TryAgain) as error:
        reason = error.reason if error.subject == group or dataset in error.reason else f"{dataset}: {error.reason}"
        raise type(error)(_TAKE, group, reason, error.remedy or f"see hikae status {dataset}") from error
