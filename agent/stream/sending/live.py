"""Live commits from the queue onto the wire. Their bytes are at hand: nothing is read again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from agent.capture.outlet import ReadChunk
from agent.core.commit import Commit
from agent.core.ids import CommitNumber
from agent.stream.messages import NAMES_TARGET, ROWS_TARGET, Batch, Offer, Seal, told_bytes
from agent.stream.rows_blob import blobs_of
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.feed import LiveCommit, LiveContent, LiveItem
from agent.stream.sending.talk.call import Conversation

#: So many bytes that the peer may have ride along unasked: asking would cost a round trip.
UNASKED_BYTES = 64 << 10


def ask_for_missing(
    talk: Conversation, load: Load, items: Sequence[LiveItem], *, everything: bool = False
) -> Generator[Batch, None, set[bytes]]:
    """Ask which chunks of ``items`` the peer has, all at once; returns the names that need not be sent.
    ``everything``: of fresh ones too."""
    known = {chunk.name: chunk for item in items for chunk in item.chunks if everything or not chunk.fresh}
    if sum(len(chunk.data) for chunk in known.values()) <= UNASKED_BYTES:
        return set()
    chunks = list(known.values())
    groups = [chunks[at : at + NAMES_TARGET] for at in range(0, len(chunks), NAMES_TARGET)]
    asked: list[tuple[int, list[ReadChunk]]] = []
    for group in groups:
        question = talk.unanswered.question(len(group))
        load.part(_question(question, group))
        yield from talk.say(load.take())
        asked.append((question, group))
    had: set[bytes] = set()
    for question, group in asked:
        yield from talk.answer(question)
        lacking = {group[index].name for index in talk.unanswered.take(question)}
        had.update(chunk.name for chunk in group if chunk.name not in lacking)
    return had


def size_of_chunks(items: Sequence[LiveItem], names: set[bytes]) -> int:
    """How many bytes of ``items`` are chunks of these names."""
    return sum(len(chunk.data) for item in items for chunk in item.chunks if chunk.name in names) if names else 0


def put_chunks(
    talk: Conversation, load: Load, item: LiveItem, had: set[bytes], patches: bool = False
) -> Iterator[Batch]:
    """The chunks of one item that the peer lacks. ``patches``: it takes patches, and has the version before."""
    content = item.token if isinstance(item, LiveContent) and item.is_new else 0
    # Of a file that was captured twice for one commit the version before may be among them, and not have gone yet.
    left = {chunk.name for chunk in item.chunks} - had if patches else set()
    for chunk in item.chunks:
        if chunk.name not in had:
            runs = chunk.runs
            if runs and (not patches or any(run.base in left for run in runs)):
                runs = ()
            load.chunk(chunk.kind, chunk.name, chunk.data, runs, content)
            left.discard(chunk.name)
            if load.full:
                yield from talk.say(load.take())


def put_commit(
    talk: Conversation, load: Load, item: LiveCommit, base: CommitNumber, had: set[bytes], patches: bool = False
) -> Iterator[Batch]:
    """One commit whole, on top of ``base``; the batch is left open for more. ``patches``: see :func:`put_chunks`."""
    number = item.commit.number
    yield from put_chunks(talk, load, item, had, patches)
    for _, blob in blobs_of(item.changes, min(ROWS_TARGET, talk.under_way.message())):
        if not load.fits(len(blob)):
            yield from talk.say(load.take())
        load.part(Offer(0, number, base, blob))
        if load.full:
            yield from talk.say(load.take())
    load.part(seal_of(item.commit, base, len(item.changes)))
    if load.full:
        yield from talk.say(load.take())


def seal_of(commit: Commit, parent: CommitNumber, rows: int, fuzzy: int | None = None, absent: int = 0) -> Seal:
    """The seal of ``commit`` for a peer that has ``parent``. ``fuzzy``: files that were taken as read in any commit between the
    two, where there are others between; None: in this one. ``absent``: see ``Seal``."""
    return Seal(
        number=commit.number,
        parent=parent,
        time=commit.time,
        consistent=commit.consistent,
        digest=commit.digest,
        entries=commit.entries,
        bytes=told_bytes(commit.bytes),
        fuzzy=commit.fuzzy if fuzzy is None else fuzzy,
        rows=rows,
        absent=absent,
        provenance=commit.provenance,
    )


def _question(question: int, chunks: Sequence[ReadChunk]) -> Offer:
    nothing = CommitNumber(0)
    return Offer(question, nothing, nothing, asked=tuple((chunk.kind, chunk.name) for chunk in chunks))
