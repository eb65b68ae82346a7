"""May this commit be applied without a person's word? Pure predicates over counts (law 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.apply.brake.loss_words import LossWords
from agent.config.values import Brake
from agent.core.commit import Commit
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import kept_path
from agent.core.problem_codes import MASS_DELETION, MASS_REWRITING, SOURCE_EMPTIED
from agent.status.text import shown

#: What an operator can accept, as codes of problems.
ACCEPTABLE = (SOURCE_EMPTIED, MASS_DELETION, MASS_REWRITING)


@dataclass(frozen=True, slots=True)
class StateCounts:
    """What a state holds: ``entries`` names (the root has none) and the ``bytes`` of its files; of a device chunks and theirs."""

    entries: int = 0
    bytes: int = 0


def judge(
    applied: StateCounts, target: Commit, emptied_since: CommitNumber, accepted: CommitNumber, words: LossWords
) -> Hold | None:
    """The hold that forbids going from ``applied`` to ``target``, or None.

    ``emptied_since``: first of the empty commits that end with ``target`` (see :func:`trailing_empty`); ``accepted``: the
    newest commit that an operator let pass, ``NOTHING`` for none."""
    if target.entries or not applied.entries or accepted >= emptied_since > NOTHING:
        return None
    message = f"the source became empty; the standby keeps its {applied.entries:,} {words.entries}"
    return Hold(SOURCE_EMPTIED, message)


def trailing_empty(commits: Iterable[Commit]) -> CommitNumber:
    """The first of the run of empty commits that ends the sequence; ``NOTHING`` if the last one has entries."""
    since = NOTHING
    for commit in commits:
        if commit.entries:
            since = NOTHING
        elif since == NOTHING:
            since = commit.number
    return since


def is_guarded(limits: Brake, entries: int) -> bool:
    """Whether shares of so few entries mean anything."""
    return entries >= max(1, limits.min_entries)


def too_many(count: int, share: float, whole: int) -> bool:
    """Whether ``count`` is over the ``share`` of ``whole``."""
    return count > share * whole


def judge_lineage(limits: Brake, applied: StateCounts, target: Commit, words: LossWords) -> Hold | None:
    """The hold for a primary that started anew. No object is what it was then, so only what is certain
    counts: so many entries fewer."""
    lost = applied.entries - target.entries
    if not is_guarded(limits, applied.entries) or not too_many(lost, limits.deleted, applied.entries):
        return None
    message = (
        f"the primary started anew with {target.entries:,} {words.entries}; the standby keeps its {applied.entries:,}"
    )
    return Hold(MASS_DELETION, message)


def mass_deletion(
    words: LossWords, count: int, entries: int, first: Commit, now: int, one: bytes | None = None
) -> Hold:
    """The hold for ``count`` of ``entries`` that are gone since the commit ``first``; ``now`` UTC ns; ``one``: the path of one
    of them."""
    return Hold(MASS_DELETION, f"{count:,} of {entries:,} {words.deleted} since {_clock(first.time, now)}{_with(one)}")


def mass_rewriting(words: LossWords, count: int, files: int, first: Commit, now: int, one: bytes | None = None) -> Hold:
    """The hold for ``count`` of ``files`` that have other content since the commit ``first``; ``now``, ``one`` as above."""
    return Hold(MASS_REWRITING, f"{count:,} of {files:,} {words.rewritten} since {_clock(first.time, now)}{_with(one)}")


def _with(one: bytes | None) -> str:
    """An example, from which somebody may see whether it was meant."""
    return f", {shown(kept_path(one))} among them" if one else ""


def _clock(time: int, now: int) -> str:
    """A moment in local time to the second, as `--at` takes it, with its day unless that is today's."""
    moment, today = (datetime.fromtimestamp(ns / 1e9).astimezone() for ns in (time, now))
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M:%S}"
