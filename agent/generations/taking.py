"""Which commit a generation is, and what is written of it. Pure, but for what it reads from the catalog."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.core.commit import Commit, Quiesced
from agent.core.errors import Refused, TryAgain
from agent.core.ids import CommitNumber, shown_commit
from agent.generations.naming import generation_name
from agent.status.text import shown
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.reader import Reading

_TAKE = "take a generation"
#: A year of them at one an hour.
MOST_FROM_AFAR = 10_000


@dataclass(frozen=True, slots=True)
class WantedGeneration:
    """What is asked for. ``note``: why it is taken, where that is more than its cause says; ``together``: what it has in common
    with those of other datasets, which are taken ``at`` the same time (UTC ns; 0: now)."""

    cause: Cause
    label: str = ""
    pinned: bool = False
    note: str = ""
    together: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What the primary said to the question for a barrier. ``number``: the commit that holds all that was written before, 0
    where it did not say; ``missed``: why not; the others as in ``Generation``."""

    number: CommitNumber
    reached: Quiesced = Quiesced.FILE
    stood_still: int = 0
    hooks: tuple[str, ...] = ()
    missed: str = ""


@dataclass(frozen=True, slots=True)
class TakenAt:
    """When it is taken: ``now`` by this node's clock, ``dated`` by the retention clock, and ``immutable`` for how long it may not
    be expired; ns."""

    now: int
    dated: int
    immutable: int


def require_new_label(reader: Reading, dataset: str, label: str) -> None:
    """Raises ``Refused`` where a generation has that label: it names one."""
    taken = next((one.name for one in reader.generations() if label and one.label == label), None)
    if taken is not None:
        reason = f"generation {taken} has that label"
        raise Refused(_TAKE, f"{dataset}: {shown(label)}", reason, "choose another label")


def require_few(reader: Reading, dataset: str, peer: str, most: int = MOST_FROM_AFAR) -> None:
    """Raises ``Refused`` where so many generations are kept that another node may ask for no more: what each costs is paid
    here."""
    if peer and len(reader.generations()) >= most:
        reason = f"{most:,} generations are kept already, and {peer} may ask for no more"
        raise Refused(_TAKE, dataset, reason, f"on this node: hikae generations expire {dataset}; or take it there")


def generation_of(
    reader: Reading, dataset: str, wanted: WantedGeneration, answer: SourceAnswer, at: TakenAt
) -> Generation:
    """The generation as it is to be kept. Raises ``Refused`` as long as no consistent commit has come."""
    commit = _commit_for(reader, dataset, answer.number)
    is_asked = bool(answer.number) and commit.number == answer.number
    stood = answer if is_asked else SourceAnswer(commit.number)
    return Generation(
        name=generation_name(at.now, {one.name for one in reader.generations()}),
        number=commit.number,
        taken=at.now,
        dated=at.dated,
        cause=wanted.cause,
        label=wanted.label,
        pinned=wanted.pinned,
        immutable_until=at.dated + at.immutable if at.immutable else 0,
        reached=max(stood.reached, commit.provenance.reached),
        stood_still=stood.stood_still,
        incomplete=reader.owed_count(commit.number),
        note=_note(wanted, answer, commit),
        hooks=json.dumps(list(stood.hooks)) if stood.hooks else "",
        together=wanted.together,
    )


def require_exact(reader: Reading, dataset: str, number: CommitNumber) -> None:
    """Raises ``TryAgain`` where the commit that the primary named is not here as it was taken: another one would be of another
    moment."""
    commit = reader.commit_at(number)
    if commit is None or not commit.consistent or not reader.is_readable(number):
        reason = f"{dataset}: commit {shown_commit(number)} did not come by itself: the dataset is being caught up"
        raise TryAgain(_TAKE, dataset, reason, f"hikae status {dataset} shows when it streams")


def _commit_for(reader: Reading, dataset: str, asked: CommitNumber) -> Commit:
    """The commit that was asked for; where it is not here or half of something, the next that is whole; else the newest."""
    found = reader.commit_at(asked) if asked else None
    if found is not None and found.consistent:
        return found
    newest = reader.newest_consistent()
    if newest is None or not reader.is_readable(newest.number):
        reason = "nothing whole has come yet: the first sync, or a walk after a doubt, goes on"
        raise Refused(_TAKE, dataset, reason, "see hikae status for how far it is")
    return (reader.next_consistent(asked) if asked else None) or newest


def _note(wanted: WantedGeneration, answer: SourceAnswer, commit: Commit) -> str:
    words = [wanted.note] if wanted.note else []
    if answer.missed:
        words.append(f"the newest commit that was here: {answer.missed}")
    elif answer.number and answer.number != commit.number:
        words.append(f"commit {shown_commit(commit.number)} stands for {shown_commit(answer.number)}")
    return "; ".join(words)
