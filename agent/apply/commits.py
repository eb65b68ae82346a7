"""Commits as the applier asks for them."""

from __future__ import annotations

from collections.abc import Iterator

from agent.apply.brake.limits import StateCounts
from agent.apply.ports import CatalogView
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber

_PAGE = 1000


def commits_after(view: CatalogView, number: CommitNumber) -> Iterator[Commit]:
    """Every later commit, in order."""
    while page := view.commits(number, _PAGE):
        yield from page
        number = page[-1].number


def counts_at(view: CatalogView, number: CommitNumber) -> StateCounts:
    """Entries and bytes at a commit; of one that is not kept, that there were some."""
    if number == NOTHING:
        return StateCounts()
    found = view.commits(CommitNumber(number - 1), 1)
    return (
        StateCounts(found[0].entries, found[0].bytes) if found and found[0].number == number else StateCounts(entries=1)
    )
