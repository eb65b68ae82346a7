"""Commits as the applier asks for them, and their numbers as local facts keep them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import takewhile

from agent.apply.brake.limits import StateCounts
from agent.apply.ports import CatalogView
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber

_PAGE = 1000
_U64 = struct.Struct(">Q")


def commits_after(view: CatalogView, number: CommitNumber) -> Iterator[Commit]:
    """Every later commit, in order."""
    while page := view.commits(number, _PAGE):
        yield from page
        number = page[-1].number


def commit_at(view: CatalogView, number: CommitNumber) -> Commit | None:
    """The commit of this number, if the catalog has it."""
    found = view.commits(CommitNumber(number - 1), 1) if number else []
    return found[0] if found and found[0].number == number else None


def is_broken(view: CatalogView, one: CommitNumber, other: CommitNumber) -> bool:
    """Whether the lineage began anew between two commits, so that every object has a new id. ``NOTHING`` is before any."""
    low, high = min(one, other), max(one, other)
    if low == NOTHING:
        return False
    later = takewhile(lambda commit: commit.number <= high, commits_after(view, low))
    return any(commit.parent == NOTHING for commit in later)


def counts_at(view: CatalogView, number: CommitNumber) -> StateCounts:
    """Entries and bytes at a commit; of one that is not kept, that there were some."""
    if number == NOTHING:
        return StateCounts()
    commit = commit_at(view, number)
    return StateCounts(commit.entries, commit.bytes) if commit is not None else StateCounts(entries=1)


def number_of(value: bytes | None) -> CommitNumber:
    """A commit's number as it is kept."""
    return CommitNumber(_U64.unpack(value)[0]) if value else NOTHING


def numbers_of(value: bytes | None) -> tuple[CommitNumber, ...]:
    """Several commits' numbers as they are kept."""
    return tuple(CommitNumber(number) for (number,) in _U64.iter_unpack(value or b""))


def packed(numbers: Iterable[int]) -> bytes:
    """Commits' numbers as local facts keep them: 8 bytes each."""
    return b"".join(map(_U64.pack, numbers))
