"""Why capture or apply stands still until a person decides (law 8), and on which node that is typed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core.problem_codes import FENCED, MASS_DELETION, MASS_REWRITING, REWOUND, ROOT_REPLACED, SOURCE_EMPTIED

#: What `hikae accept` ends; any other hold ends with its cause.
ACCEPTED = frozenset({SOURCE_EMPTIED, MASS_DELETION, MASS_REWRITING, ROOT_REPLACED, REWOUND, FENCED})


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. ``code``, ``sentence``, ``remedy``: those of the problem that says so, a peer's words where a peer says them;
    ``since``: UTC ns, 0 while not known; ``gives_up``: what is lost by accepting it, where that is more than the sentence says
    (not told to peers); ``accepted_on``: the node on which `hikae accept` ends it, "" where only its cause's end does."""

    code: str
    sentence: str
    remedy: str = ""
    since: int = 0
    gives_up: str = ""
    accepted_on: str = ""


def on_node(hold: Hold, node: str) -> Hold:
    """The hold as it stands on ``node``: what can be accepted is accepted where it stands."""
    return replace(hold, accepted_on=node if hold.code in ACCEPTED else "")
