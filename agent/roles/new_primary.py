"""Another node calls a standby as its primary: is it followed, or does this node have what that one lacks? Pure.

A standby follows by itself only where it gives up nothing: who calls owns an epoch above all that were met here, and knows the
newest commit that is here. Else a person says so (``rejoin``), and what is here alone is kept first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from agent.core.ids import CommitNumber, Epoch
from agent.stream.guards import EVERY_GUARD, RoleGuards
from agent.stream.locator import CommitMark, Locator
from agent.stream.receiving.epochs import newest_of, unbelieved

#: The first epoch of all is begun by whom the configuration names, and follows nobody.
_FIRST = 1


class CallerStanding(Enum):
    """What a standby makes of a node that is not its primary and says that it is."""

    #: It is the primary now, and has all that is here.
    FOLLOWED = auto()
    #: It is the primary now, and lacks something that is here.
    BEHIND = auto()
    #: It is none, as far as can be told.
    STRANGER = auto()


@dataclass(frozen=True, slots=True)
class WhatIsHere:
    """``nodes`` take part in the dataset; ``lineage``: the epochs that were met; ``newest``: the newest commit here that others
    may know, None where there is none."""

    nodes: Sequence[str]
    lineage: Sequence[Epoch]
    newest: CommitMark | None


def judge_caller(
    speaker: str, epoch: Epoch, locator: Locator, here: WhatIsHere, guards: RoleGuards = EVERY_GUARD
) -> CallerStanding:
    """``speaker`` is who its certificate says; ``locator``: the commits that it names of its own."""
    newest = here.newest
    number = newest.number if newest is not None else None
    if speaker not in here.nodes or unbelieved(speaker, epoch, here.lineage, number, guards) is not None:
        return CallerStanding.STRANGER
    if epoch.number <= max(_FIRST, newest_of(here.lineage).number):
        return CallerStanding.STRANGER
    has_all = newest is None or knows(locator, newest) or not guards.ahead_stays
    return CallerStanding.FOLLOWED if has_all else CallerStanding.BEHIND


def knows(locator: Locator, mark: CommitMark) -> bool:
    """Whether who names these commits has that one: it, or a later one of the same epoch. What it names of an epoch ends with its
    last commit there that can be read."""
    last = max((one.number for one in locator if one.epoch == mark.epoch), default=CommitNumber(0))
    same = next((one for one in locator if (one.epoch, one.number) == (mark.epoch, mark.number)), mark)
    return last >= mark.number and same.digest == mark.digest
