"""A standby whose role record makes it the primary: what it has received is applied first, then it begins an epoch of its own.

Captured before that, an older tree would pass for the newest one, and what was received and not applied would be lost.
"""

from __future__ import annotations

from pathlib import Path

from agent.apply.checkpoint import checkpoint_of
from agent.core.ids import shown_commit
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import PROMOTING
from agent.node.standby import Standby
from agent.roles import lineage
from agent.roles.record import ROLE
from agent.store.catalog.catalog import Catalog


def must_wait(home: Path, node: str) -> bool:
    """Whether the tree of ``node``, which reigned last elsewhere, may not be what was received there. Raises ``HikaeError``."""
    path = home / lineage.CATALOG
    if not path.exists():
        return False
    # Not by a reader: the file may be one that a failed sync left without its tables, or of another release.
    with Catalog.open(str(path)) as catalog:
        known, newest = catalog.lineage, catalog.newest()
    if newest is None or known[-1].owner == node:
        return False
    with lineage.open_local(home) as local:
        return not newest.consistent or checkpoint_of(local) != newest.number


def is_through(side: Standby) -> bool:
    """Whether the tree is what was received, and what was received is whole."""
    newest = side.newest()
    return newest is not None and newest.consistent and side.loop.facts().applied == newest.number


def waits(side: Standby, home: Path, now_ns: int) -> Problem:
    """Why this node is not the primary yet, and what leads out of it."""
    name, newest, applied = side.dataset.name, side.newest(), side.loop.facts().applied
    if newest is None or not newest.consistent:
        what = f"{name} cannot be promoted: its first sync, or a doubt after it, did not come to its end here"
        remedy = (
            f"to make it the standby again that it was: stop the agent, rm {home / ROLE}, start it; "
            f"or, to begin from what stands here: name this node as primary, stop the agent, mv {home} {home}.old, start it"
        )
    else:
        received, stands = shown_commit(newest.number), shown_commit(applied)
        what = f"{name} is being promoted: commit {received} was received and {stands} is applied"
        remedy = "it goes on by itself; if it is held, hikae status says by what"
    return Problem(PROMOTING, Severity.WARNING, now_ns, b"", what, remedy)
