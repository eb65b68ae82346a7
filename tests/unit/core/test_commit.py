"""Commits: what is counted, and numbers that are stored and sent."""

from __future__ import annotations

from agent.core.commit import ORDINARY, Changes, CommitKind, Quiesced


def test_changes_count_puts_and_drops() -> None:
    """Rows and keys together are the length."""
    assert (0, 3) == (len(Changes()), len(Changes((b"a", b"b"), (b"c",))))


def test_stored_numbers_stay() -> None:
    """Kinds and what quiesce reached are stored and sent by these numbers."""
    kinds = {"CHANGES": 0, "EPOCH": 1, "ROLLBACK": 2, "DIVERGENCE": 3, "RETURN": 4}
    assert kinds == {one.name: one.value for one in CommitKind}
    assert {"FILE": 0, "CRASH": 1, "APPLICATION": 2} == {one.name: one.value for one in Quiesced}


def test_an_ordinary_commit_says_nothing_of_itself() -> None:
    """A commit of changes, file by file, without a label."""
    assert (CommitKind.CHANGES, Quiesced.FILE, "") == (ORDINARY.kind, ORDINARY.reached, ORDINARY.label)
