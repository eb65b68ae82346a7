"""Which commit do two nodes both know? Pure: commits are told by epoch and digest, never by number alone.

Each side names some of its commits, near ones close together and far ones far apart, so the newest that both know is found in one
exchange, or one not much older than it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from agent.core.commit import Commit
from agent.core.ids import LOCAL_BIT, CommitNumber, Epoch, commit_number, epoch_of, is_local

#: KnownCommits that one side names.
LOCATOR_MAX = 128
#: Of these, those that stand at distances; the others are kept ones.
_DISTANCES_MAX = 96


@dataclass(frozen=True, slots=True)
class CommitMark:
    """A commit as nodes tell it from others. ``epoch``: the token of the epoch in which it was made."""

    epoch: bytes
    number: CommitNumber
    digest: bytes


#: The commits that one side names, the newest first.
Locator: TypeAlias = tuple[CommitMark, ...]
#: The newest commit of a node up to a number, None where there is none.
UpTo: TypeAlias = Callable[[CommitNumber], CommitMark | None]


def locator_of(newest: CommitNumber, up_to: UpTo, kept: Iterable[CommitMark] = ()) -> Locator:
    """The marks of a node whose newest commit is ``newest``, the newest first: of each epoch its last commit and those 1, 2, 4,
    8 … before it, as long as there is room, and ``kept`` ones. Commits of this node alone are none that another could know."""
    found: dict[CommitNumber, CommitMark] = {}
    for mark in _at_distances(newest, up_to):
        found[mark.number] = mark
        if len(found) >= _DISTANCES_MAX:
            break
    for mark in sorted((one for one in kept if not is_local(one.number)), key=lambda one: one.number, reverse=True):
        if len(found) >= LOCATOR_MAX:
            break
        found[mark.number] = mark
    return tuple(found[number] for number in sorted(found, reverse=True))


def newest_common(locator: Sequence[CommitMark], knows: Callable[[CommitMark], bool]) -> CommitMark | None:
    """The newest commit of ``locator`` that we know too."""
    return next((mark for mark in locator if knows(mark)), None)


def with_common(locator: Locator, common: CommitMark | None) -> Locator:
    """``locator`` with ``common`` among its marks; the furthest of the others goes where there is no room."""
    if common is None or common in locator:
        return locator
    marks = sorted((*locator[: LOCATOR_MAX - 1], common), key=lambda one: one.number, reverse=True)
    return tuple(marks)


def _at_distances(newest: CommitNumber, up_to: UpTo) -> Iterator[CommitMark]:
    """Epoch by epoch, the newest first."""
    last = _shared(up_to(newest), up_to)
    while last is not None:
        yield last
        before, distance = last, 1
        while (mark := _shared(up_to(CommitNumber(last.number - distance)), up_to)) is not None:
            if epoch_of(mark.number) != epoch_of(last.number):
                break
            if mark.number < before.number:
                yield mark
                before = mark
            distance *= 2
        last = _shared(up_to(commit_number(epoch_of(last.number), 0)), up_to)


def _shared(mark: CommitMark | None, up_to: UpTo) -> CommitMark | None:
    """``mark``, or the newest before it that is not of this node alone. What is before the local commits of an epoch may be those
    of an earlier one: a node that rejoined more than once has them."""
    while mark is not None and is_local(mark.number):
        mark = up_to(commit_number(epoch_of(mark.number), LOCAL_BIT - 1))
    return mark


class KnownCommits(Protocol):
    """What is asked of a node's catalog."""

    def newest(self) -> Commit | None:
        """The newest commit."""
        ...

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """The commit of that number."""
        ...

    def commit_up_to(self, number: CommitNumber) -> Commit | None:
        """The newest commit whose number is not above that."""
        ...

    def epoch_of_commit(self, number: CommitNumber) -> Epoch | None:
        """The epoch in which it was made."""
        ...

    def is_readable(self, at: CommitNumber) -> bool:
        """Whether the state at a commit can be read."""
        ...

    def readable_before_horizon(self) -> tuple[int, ...]:
        """The commits that are kept beyond the last hours."""
        ...


def locator_in(commits: KnownCommits) -> Locator:
    """The marks of the commits that a catalog can read."""

    def up_to(number: CommitNumber) -> CommitMark | None:
        return mark_of(commits, commits.commit_up_to(number))

    newest = commits.newest()
    kept = (mark_of(commits, commits.commit_at(CommitNumber(each))) for each in _newest_of(commits))
    return locator_of(newest.number, up_to, filter(None, kept)) if newest is not None else ()


def mark_of(commits: KnownCommits, commit: Commit | None) -> CommitMark | None:
    """``commit`` as others may know it; None for one that cannot be read, or whose epoch is not known."""
    if commit is None or not commits.is_readable(commit.number):
        return None
    epoch = commits.epoch_of_commit(commit.number)
    return CommitMark(epoch.token, commit.number, commit.digest) if epoch is not None else None


def newest_shared(commits: KnownCommits) -> CommitMark | None:
    """The newest commit that others may know, None where there is none, or it can be read no more."""
    newest = commits.newest()
    if newest is None:
        return None

    def up_to(number: CommitNumber) -> CommitMark | None:
        return mark_of(commits, commits.commit_up_to(number))

    return _shared(up_to(newest.number), up_to)


def is_known(commits: KnownCommits, mark: CommitMark) -> bool:
    """Whether a catalog has that very commit, and can read it."""
    return mark_of(commits, commits.commit_at(mark.number)) == mark


def _newest_of(commits: KnownCommits) -> tuple[int, ...]:
    return commits.readable_before_horizon()[-LOCATOR_MAX:]
