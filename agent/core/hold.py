"""Why capture or apply stands still until a person decides (law 8), and on which node that is typed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from agent.core.problem_codes import (
    DEVICE_SHRUNK,
    FENCED,
    LINEAGE_WAITS,
    MASS_DELETION,
    MASS_REWRITING,
    REWOUND,
    ROOT_REPLACED,
    SOURCE_EMPTIED,
    STANDBY_FOREIGN,
    STANDBY_GONE,
    STANDBY_REPLACED,
)

#: What `hikae accept` ends; any other hold ends with its cause.
ACCEPTED = frozenset({SOURCE_EMPTIED, MASS_DELETION, MASS_REWRITING, ROOT_REPLACED, DEVICE_SHRUNK, REWOUND, FENCED})
#: Another source stands where the one that was captured stood, or less of it; on the primary.
OF_SOURCE = frozenset({ROOT_REPLACED, DEVICE_SHRUNK})
#: Holds of the newest commit alone. Any other is of the place where the standby stands: no other commit can stand there either.
OF_COMMIT = ACCEPTED | {LINEAGE_WAITS}
#: What somebody did to the tree on its primary, by mistake or not.
LOST = frozenset({SOURCE_EMPTIED, MASS_DELETION, MASS_REWRITING})
#: The standby is not there, or another stands in its place.
REPLACED = frozenset({STANDBY_GONE, STANDBY_REPLACED})
#: What `hikae resync` ends.
TAKEN_ANEW = REPLACED | {STANDBY_FOREIGN}


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. ``code``, ``sentence``, ``remedy``: those of the problem that says so, a peer's words where a peer says them;
    ``since``: UTC ns, 0 while not known; ``gives_up``: what is lost by accepting it, where that is more than the sentence says
    (not told to peers); ``accepted_on``: the node on which `hikae accept` ends it, "" where only its cause's end does;
    ``generation``: what the brake kept before what is held began, "" for nothing."""

    code: str
    sentence: str
    remedy: str = ""
    since: int = 0
    gives_up: str = ""
    accepted_on: str = ""
    generation: str = ""


def on_node(hold: Hold, node: str) -> Hold:
    """The hold as it stands on ``node``: what can be accepted is accepted where it stands."""
    return replace(hold, accepted_on=node if hold.code in ACCEPTED else "")


class NotAccepted(NamedTuple):
    """Why `hikae accept` ends nothing here, and what leads on."""

    reason: str
    remedy: str


def unaccepted(hold: Hold | None, stands_on: str, here: str, dataset: str) -> NotAccepted | None:
    """Why `hikae accept` on the node ``here`` would not end this hold, which stands on ``stands_on``; None where it would.
    ``hold``: None where nothing is held, on any node."""
    if hold is None:
        return NotAccepted("nothing is held", "hikae status shows what the dataset waits for")
    if hold.code not in ACCEPTED:
        where = "here" if stands_on == here else f"on {stands_on}"
        away = "" if stands_on == here else f"on {stands_on}: "
        reason = f"what is held {where} ends with its cause and not by accept: {hold.sentence}"
        return NotAccepted(reason, f"{away}{hold.remedy}" if hold.remedy else "see hikae status")
    if stands_on != here:
        return NotAccepted(
            f"{stands_on} is held, not {here}: {hold.sentence}", f"on {stands_on}: hikae accept {dataset}"
        )
    return None
