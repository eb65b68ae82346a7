"""Which commit the tree of a standby equals, and until when the primary stood there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber


class ReadsCommits(Protocol):
    """Satisfied by ``CatalogReader``. Both raise as its other methods do."""

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """The commit of that number, unless it never was or is held no more."""
        ...

    def commits(self, after: CommitNumber, limit: int) -> list[Commit]:
        """At most so many commits with a greater number, in order."""
        ...


class StandingTree:
    """What was asked last is remembered, since status asks each second and at every change. Any thread."""

    def __init__(self, reader: Callable[[], AbstractContextManager[ReadsCommits]]) -> None:
        self._reader = reader
        self._equals: tuple[CommitNumber, Commit | None] = NOTHING, None
        self._until: tuple[CommitNumber, int | None] = NOTHING, None

    def commit(self, applied: CommitNumber) -> Commit | None:
        """The commit of that number; None for none, or one that is held no more."""
        known, commit = self._equals
        if applied != known:
            with self._reader() as reader:
                commit = reader.commit_at(applied)
            self._equals = applied, commit
        return commit

    def until(self, applied: CommitNumber, newest: Commit | None) -> int | None:
        """When the first commit was made that is here and not in the tree (UTC ns): until then the primary was as the tree is.
        None while the tree equals the newest, or nothing yet."""
        if applied == NOTHING or newest is None or newest.number <= applied:
            return None
        known, until = self._until
        if applied != known:
            with self._reader() as reader:
                following = reader.commits(applied, 1)
            until = (following[0] if following else newest).time
            self._until = applied, until
        return until
