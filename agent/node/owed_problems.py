"""What is owed, on the boards of both nodes: files that were sealed although they could not be read where they are (law 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import OWED
from agent.store.catalog.catalog import Catalog

#: Paths that are named.
NAMED = 20


def tell_primary(board: ProblemBoard, peers: Mapping[str, tuple[int, Sequence[bytes]]], now_ns: int) -> None:
    """``peers``: how many files each owes, and the paths of the first."""
    lacking: dict[bytes, list[str]] = {}
    for peer, (_, paths) in peers.items():
        for path in paths:
            lacking.setdefault(path, []).append(peer)
    named = dict(sorted(lacking.items())[:NAMED])
    remedy = "let the agent's user read it, look at the disk, or put it back from elsewhere; it is sent by itself then"
    problems = [
        Problem(
            OWED,
            Severity.WARNING,
            now_ns,
            path,
            f"it cannot be read, and {' and '.join(who)} lack{'s' if len(who) == 1 else ''} some of it: "
            "its last version stands there, or nothing",
            remedy,
        )
        for path, who in named.items()
    ]
    board.replace(OWED, problems, max(len(lacking), max((total for total, _ in peers.values()), default=0)))


def tell_standby(board: ProblemBoard, catalog: Catalog, primary: str, now_ns: int) -> None:
    """Of what the catalog says that is owed here. Used by the thread that has the catalog."""
    remedy = (
        f"it is asked for by itself; where this stays, {primary} cannot read it: make it readable there, "
        "and hikae reconcile there asks at once"
    )
    problems = [
        Problem(
            OWED,
            Severity.WARNING,
            now_ns,
            catalog.place_of(id) or b"",
            "some of its content has not come yet: what stands here is its last version, or nothing",
            remedy,
        )
        for id in (catalog.owed(limit=NAMED) if catalog.owing else ())
    ]
    board.replace(OWED, problems, catalog.owing)
