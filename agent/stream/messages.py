"""What is said on the stream, as values, and the limits that both sides keep (law 6).

A call carries batches both ways; a batch is some parts in the order in which they act. Only a ``Seal`` commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from agent.core import chunks
from agent.core.commit import ORDINARY, Position, Provenance, Quiesced
from agent.core.errors import WireError
from agent.core.ids import NO_EPOCH, NOTHING, CommitNumber, Epoch, ObjectId
from agent.core.row_checks import ROW_MAX
from agent.core.skew import ClockReading
from agent.core.standing import Standing
from agent.stream.locator import CommitMark, Locator

#: Of the protocol: what the newest release of the peers may be greeted with (``stream.versions``).
VERSION = 2
MIB = 1 << 20

#: Bytes of one encoded batch: what a sender aims at, and what a receiver takes.
BATCH_TARGET = MIB
BATCH_MAX = 4 * MIB + (256 << 10)
ROWS_TARGET = 512 << 10
ROWS_MAX = ROW_MAX + 5
#: Numbers have 63 bits.
TOLD_MAX = (1 << 63) - 1
PARTS_MAX = 8192
NAMES_TARGET = 4096
NAMES_MAX = 16384
CHUNKS_MAX = 65536
#: Bytes in the clear, of chunks and rows, that one batch stands for: what a sender aims at, and what a receiver opens.
OPENED_TARGET = 4 * MIB
OPENED_MAX = 16 * MIB
#: Patches in one batch: each may have to be rebuilt from many other chunks.
PATCHES_TARGET = 512
PATCHES_MAX = 2048
#: Each side says something at least so often, and leaves a call in which it heard nothing for so long, in seconds.
HEARTBEAT, SILENCE = 5.0, 30.0
#: A sender may have so many bytes under way that the receiver has not worked off.
CREDIT = 32 * MIB
TEXT_MAX = 1024
#: Ids of objects in one part.
OBJECTS_MAX = 4096
#: Paths of one ``Announce``, and their bytes together.
PATHS_MAX, PATHS_BYTES = 1024, 256 << 10
#: Seconds of a span that a peer tells.
SPAN_MAX = 1e9
LABEL_MAX = 256
#: Of what the operator's programs said of one barrier: lines, and characters of each.
HOOK_LINES_MAX = 16
HOOK_LINE_MAX = 1000
#: So many datasets of a group have one moment.
TOGETHER_MAX = 64

RAW, ZSTD = 0, 1


@dataclass(frozen=True, slots=True)
class Hello:
    """The first part of a call. ``newest``: the primary's newest commit; ``nonce``: 32 random bytes to be signed;
    ``config_digest``: of what must be the same on all nodes; ``program``: the release that runs there; ``kind``: of the
    dataset; ``locator``: commits that the primary can go on from; ``reason``: why its epoch was begun, for people. The
    last five are empty where the peer does not say."""

    node: str
    dataset: str
    versions: tuple[int, ...]
    epoch: Epoch
    newest: CommitNumber
    nonce: bytes
    config_digest: bytes = b""
    program: str = ""
    kind: str = ""
    locator: Locator = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to ``Hello``. ``epoch``: in which the ``durable`` commit was made. ``certificate`` (PEM) and ``proof``
    (its key's signature of the nonce) are put in and checked by the transport. ``lacking``: chunks of older commits are
    lost; before anything else every name of the newest commit is offered, which ends with a ``Withdraw`` of it.
    ``asks_first``: content may be here already, so until a consistent commit is sealed every chunk is asked for by name;
    ``compact``: rows may come packed and names implied; ``patches``: chunks may come as patches of those that it has;
    ``program``, ``config_digest``: as in ``Hello``; ``met``: the newest epoch that the node has met or begun, ``met_reason``
    why that was; ``owed``: as in ``Progress``; ``locator``: commits that it can go back to, with the newest of the Hello's
    that it knows."""

    node: str
    epoch: Epoch
    durable: CommitNumber
    durable_digest: bytes
    applied: CommitNumber
    credit: int
    version: int
    certificate: bytes = b""
    proof: bytes = b""
    lacking: bool = False
    asks_first: bool = False
    compact: bool = False
    program: str = ""
    config_digest: bytes = b""
    patches: bool = False
    met: Epoch = NO_EPOCH
    owed: int = 0
    locator: Locator = ()
    met_reason: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """The first part of commit ``number`` where that does not begin on top of ``parent``, the peer's newest, as it stands.
    Either ``back``: the peer first takes back what it did after this commit, and one ``Need`` says whether it can (no index)
    or not (0); or ``buckets``: a bit for each bucket of the digest, and the rows of these come whole."""

    id: int
    number: CommitNumber
    parent: CommitNumber
    back: CommitMark | None = None
    buckets: bytes = b""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of the state at commit ``number``. A primary says ``groups``, the hashes of all groups of buckets; the peer answers
    for its newest commit: the numbers of the groups that are ``differing`` there, and the sums of the ``buckets`` in these."""

    number: CommitNumber
    groups: bytes = b""
    differing: bytes = b""
    buckets: bytes = b""


@dataclass(frozen=True, slots=True)
class Offer:
    """Rows of commit ``number`` on top of ``parent``, and chunk names of which the peer says which it lacks. Either
    may be empty. ``asked``: ``(kind, name)``; with names, exactly one ``Need`` of the same ``id`` answers.
    ``codec``: how ``rows`` travel, ``rows_length`` their bytes in the clear when packed. ``implied``: the names asked are
    those of ``stream.packing.implied_names``, and ``asked`` is empty. ``whole``: the rows are a part of all that there are (in
    the buckets of its ``Begin``), in the order of their keys, and what the commit does not name ends with it; with an ``id``,
    a ``Need`` says which of the rows are not as they stand there."""

    id: int
    number: CommitNumber
    parent: CommitNumber
    rows: bytes = b""
    asked: tuple[tuple[int, bytes], ...] = ()
    codec: int = RAW
    rows_length: int = 0
    implied: bool = False
    whole: bool = False


class Pieces:
    """A payload of the stored bytes of each chunk, which nobody has joined yet."""

    __slots__ = ("_length", "parts")

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self.parts = parts
        self._length = sum(map(len, parts))

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


@dataclass(frozen=True, slots=True)
class Data:
    """Chunks in one payload. ``kinds`` and ``codecs`` hold a byte for each, the lengths are bytes raw and as they
    travel. No name is claimed: the receiver computes it. Codecs 2 and 3 are patches (``core.patch``). ``payload`` may be a view
    of what came. ``content``: not 0 for the content of one large new file, in order, ahead of its commit; a number of its own."""

    kinds: bytes
    codecs: bytes
    raw_lengths: Sequence[int]
    stored_lengths: Sequence[int]
    payload: bytes | memoryview | Pieces
    content: int = 0

    def chunks(self) -> Iterator[tuple[int, int, int, bytes | memoryview]]:
        """``(kind, codec, raw length, stored bytes)`` of each chunk, the last a view where the payload is one. Raises
        ``WireError`` before the first when lengths, kinds and payload do not fit together."""
        self.check()
        yield from zip(self.kinds, self.codecs, self.raw_lengths, self._parts(), strict=True)

    def _parts(self) -> Iterable[bytes | memoryview]:
        if isinstance(self.payload, Pieces):
            return self.payload.parts
        ends = list(accumulate(self.stored_lengths))
        payload = self.payload
        return [payload[end - length : end] for length, end in zip(self.stored_lengths, ends, strict=True)]

    def check(self) -> None:
        """Raises ``WireError`` when the packed fields contradict each other or a limit."""
        count = len(self.kinds)
        if not count == len(self.codecs) == len(self.raw_lengths) == len(self.stored_lengths) or count > CHUNKS_MAX:
            raise bad("chunks whose packed fields differ in number")
        if sum(self.stored_lengths) != len(self.payload) or len(self.payload) > BATCH_MAX:
            raise bad("chunks that do not fill their payload")
        if count and (max(self.raw_lengths) > chunks.MAX_CHUNK or not min(self.raw_lengths)):
            raise bad("a chunk of an impossible length")
        if self.kinds.strip(b"\x00\x02") or self.codecs.strip(b"\x00\x01\x02\x03"):
            raise bad("a chunk of an unknown kind")


@dataclass(frozen=True, slots=True)
class Seal:
    """Commit ``number`` is whole. ``rows``: how many changes were offered for it; ``absent``: how many ids the
    ``Absent`` parts before it hold; ``same_as``: see ``core.commit.Provenance``, whose own number is that of one node;
    ``barrier``: reserved, 0; the others as in ``core.commit.Commit``."""

    number: CommitNumber
    parent: CommitNumber
    time: int
    consistent: bool
    digest: bytes
    entries: int
    bytes: int
    fuzzy: int
    rows: int
    absent: int = 0
    provenance: Provenance = ORDINARY
    same_as: CommitMark | None = None
    barrier: int = 0


@dataclass(frozen=True, slots=True)
class Absent:
    """``objects`` of commit ``number`` hold something that the peer lacks and that cannot be read: it is sealed without. What the
    peer has of them it keeps, what it lacks it owes."""

    number: CommitNumber
    parent: CommitNumber
    objects: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class AskOwed:
    """Which objects does the peer owe, by rising id, above ``after``? Between commits only; one ``Owing`` answers."""

    after: ObjectId


@dataclass(frozen=True, slots=True)
class Owing:
    """Some ``objects`` that are not all here, rising; none: there are no more. ``total``: of all."""

    total: int
    objects: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The rows offered for ``number`` are void, if any were; so is every question whose chunks did not come. Chunks stay. As at
    most one commit is open at a time, none after it can have begun."""

    number: CommitNumber


@dataclass(frozen=True, slots=True)
class BarrierReached:
    """The answer to the ``AskBarrier`` of this ``id``. ``number``: the commit that holds all that was written before; the peer
    may have a later one in its place. ``reached``, ``stood_still`` (ns): how far the source stood still for it, and for how long;
    ``hooks``: what the operator's programs said, a line each; ``failed``: why there is no such commit, "" where there is;
    ``moment``: as in ``Together``, "" where it is of this dataset alone; ``remedy``: what to do where it failed; ``lasting``: no
    later try mends it by itself."""

    id: int
    number: CommitNumber
    reached: Quiesced = Quiesced.FILE
    stood_still: int = 0
    hooks: tuple[str, ...] = ()
    failed: str = ""
    moment: str = ""
    remedy: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing else to say; answered by a ``Progress``. ``monotonic``: the primary's seconds, for its own use; ``standing``: how
    the dataset stands there, where that is news; ``clock``: what it reads off its clocks, now and then; ``barrier``: what became
    of one that was asked for."""

    monotonic: float
    standing: Standing | None = None
    clock: ClockReading | None = None
    barrier: BarrierReached | None = None


@dataclass(frozen=True, slots=True)
class Announce:
    """``count`` changes wait on the primary and are not durable at the peer: those of ``paths`` (``sizes``: bytes of each), and
    of no others where ``all``, the oldest ``since`` (UTC ns). Nothing waits: 0. What is not named any more is in a commit up to
    ``number``. ``lag``: seconds from a change until it was durable there, as measured last; ``age``: all that was written so many
    seconds ago, or earlier, is durable there; None: not known."""

    count: int
    paths: tuple[bytes, ...] = ()
    all: bool = False
    since: int = 0
    sizes: tuple[int, ...] = ()
    number: CommitNumber = NOTHING
    lag: float | None = None
    age: float | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """One moment of all these ``datasets`` of a ``group``, each of which is asked for it in its own call; ``moment`` tells it
    from the others that the asking node asks for."""

    group: str
    moment: str
    datasets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskBarrier:
    """What was written before the primary hears this is to be in a commit, which a ``BarrierReached`` of this ``id`` names;
    ``quiesce``: the source is to stand still for it; ``together``: with the others of its group."""

    id: int
    quiesce: bool
    together: Together | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The answer to an ``Offer`` with names, or with rows of a whole: ``indexes`` of those that are lacking, rising."""

    offer: int
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """``position`` of the peer, and the :func:`weight` of all parts of this call that it has worked off; ``standing``,
    ``clock``: as in ``Heartbeat``; ``owed``: how many objects of its newest commit are not all there."""

    position: Position
    consumed: int
    standing: Standing | None = None
    owed: int = 0
    clock: ClockReading | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call ends, and nothing else follows from it. ``code``: a stable word; ``epoch``: the highest epoch met, where that is
    the reason, else 0; for people."""

    code: str
    reason: str
    remedy: str
    epoch: int = 0


PrimaryPart: TypeAlias = Hello | Offer | Data | Seal | Withdraw | Heartbeat | Announce | Absent | AskOwed | Begin | Sums
SecondaryPart: TypeAlias = Welcome | Need | Progress | Refuse | Owing | AskBarrier | Sums
#: What the primary sends at once, and what the secondary does.
Batch: TypeAlias = tuple[PrimaryPart, ...]
Answers: TypeAlias = tuple[SecondaryPart, ...]


def told_bytes(total: int) -> int:
    """A sum of sizes as it is told: users make sparse files of 8 EiB at no cost, and only each of them fits 63 bits."""
    return min(total, TOLD_MAX)


def bad(what: str) -> WireError:
    """The other side sent ``what``, which is not believed."""
    return WireError("read from the peer", "", f"it sent {what}", "the peer is faulty or hostile; nothing was stored")
