"""May this commit be applied without a person's word? Pure predicates over counts (law 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber

SOURCE_EMPTIED = "source-emptied"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a state holds: ``entries`` names (the root has none) and the ``bytes`` of its files."""

    entries: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why the apply stands still. ``since``: the first commit that it concerns; accepting that or a later one ends it."""

    code: str
    message: str
    since: CommitNumber


def judge(applied: Counts, target: Commit, emptied_since: CommitNumber, accepted: CommitNumber) -> Hold | None:
    """The hold that forbids going from ``applied`` to ``target``, or None.

    ``emptied_since``: first of the empty commits that end with ``target`` (see :func:`trailing_empty`); ``accepted``: the
    newest commit that an operator let pass, ``NOTHING`` for none."""
    if target.entries or not applied.entries or accepted >= emptied_since > NOTHING:
        return None
    message = f"the source became empty; the standby keeps its {applied.entries:,} entries"
    return Hold(SOURCE_EMPTIED, message, emptied_since)


def trailing_empty(commits: Iterable[Commit]) -> CommitNumber:
    """The first of the run of empty commits that ends the sequence; ``NOTHING`` if the last one has entries."""
    since = NOTHING
    for commit in commits:
        if commit.entries:
            since = NOTHING
        elif since == NOTHING:
            since = commit.number
    return since
