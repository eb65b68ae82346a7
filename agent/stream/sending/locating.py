"""From where is the peer brought on? It is asked before the rows of a commit: whether it can go back, where it differs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from agent.core.commit import Commit
from agent.core.digest import is_among
from agent.core.ids import CommitNumber
from agent.stream.differing import differing_buckets
from agent.stream.footing import Footing, Way
from agent.stream.messages import Batch, Begin, Sums, bad
from agent.stream.sending.asking import Asking
from agent.stream.sending.source import Source
from agent.stream.sending.talk.call import Conversation


@dataclass(frozen=True, slots=True)
class Beginning:
    """How one commit is offered: ``footing``: from what; ``buckets``: those whose rows are offered whole, empty for all; and the
    changes go by rows of the difference where ``whole`` is not set."""

    footing: Footing
    buckets: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether rows are offered as they are at the commit, and not as changes."""
        return self.footing.way is Way.WHOLE

    def has(self, row: bytes) -> bool:
        """Whether a row of the commit is to be offered."""
        return not self.buckets or is_among(row, self.buckets)


def begun(
    talk: Conversation, source: Source, asking: Asking, footing: Footing, target: Commit
) -> Generator[Batch, None, Beginning]:
    """Settle with the peer how ``target`` begins, and say so. Raises ``Ended``, ``WireError``, ``NotFound``."""
    if footing.back is not None:
        yield from _go_back(asking, footing, target.number)
        _, cannot = yield from asking.answer()
        if not cannot:
            return Beginning(footing)
        footing = footing.compared
    if footing.way is not Way.WHOLE:
        return Beginning(footing)
    buckets = yield from _compared(talk, source, asking, footing, target.number)
    if buckets:
        yield from asking.put(Begin(0, target.number, footing.base, None, buckets))
    return Beginning(footing, buckets)


def _go_back(asking: Asking, footing: Footing, number: CommitNumber) -> Generator[Batch, None, None]:
    question = asking.question(rows=(b"",))
    yield from asking.put(Begin(question, number, footing.base, footing.back))


def _compared(
    talk: Conversation, source: Source, asking: Asking, footing: Footing, number: CommitNumber
) -> Generator[Batch, None, bytes]:
    """The buckets in which the peer's state is not that of our commit; empty where they are most of all."""
    ours = source.sums(number)
    talk.unanswered.ask_sums()
    yield from asking.put(Sums(number, ours.groups()))
    yield from talk.wait(lambda: talk.unanswered.sums is not None)
    theirs = talk.unanswered.take_sums()
    if theirs.number != footing.base:
        raise bad("sums of another commit than its newest")
    return differing_buckets(ours.group, theirs.differing, theirs.buckets)
