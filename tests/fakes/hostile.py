"""What a primary that lies would send, and how it is refused: rows, chunks and seals by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.core import chunks
from agent.core.commit import Changes, Commit
from agent.core.digest import digest_of
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, commit_number, object_id
from agent.core.rows import encode_name
from agent.stream.messages import Data, Hello, Offer, PrimaryPart, Seal
from agent.stream.receiving.receiver import Receiver
from agent.stream.rows_blob import blobs_of
from agent.stream.versions import SPOKEN
from fakes.stream_fakes import EPOCH, Secondary, directory_row, file_row

A, B, C, FILE, OTHER = (object_id(1, n) for n in range(1, 6))
RAW = b"content"
CONTENT = chunks.encode_one(len(RAW), chunks.name_of(RAW))
HELLO = Hello("alpha", "web", SPOKEN, EPOCH, NOTHING, b"n" * 32)
ONE, TWO = commit_number(1, 1), commit_number(1, 2)

#: root with directories A and A/B, and the file FILE.
BASE = (
    directory_row(ROOT),
    directory_row(A),
    directory_row(B),
    file_row(FILE, CONTENT, len(RAW)),
    encode_name(ROOT, b"a", A),
    encode_name(A, b"b", B),
    encode_name(ROOT, b"file", FILE),
)


def data(
    raw: bytes = RAW, kind: int = 0, codec: int = 0, stored: bytes | None = None, length: int | None = None
) -> Data:
    """One chunk, as claimed."""
    payload = raw if stored is None else stored
    return Data(bytes([kind]), bytes([codec]), [len(raw) if length is None else length], [len(payload)], payload)


def offer(
    puts: Sequence[bytes], drops: Sequence[bytes] = (), number: CommitNumber = ONE, parent: CommitNumber = NOTHING
) -> Offer:
    """Rows of a commit."""
    blobs = [blob for _, blob in blobs_of(Changes(puts, drops))]
    return Offer(0, number, parent, b"".join(blobs))


def seal(
    rows: Sequence[bytes],
    count: int,
    number: CommitNumber = ONE,
    parent: CommitNumber = NOTHING,
    digest: bytes | None = None,
    entries: int | None = None,
) -> Seal:
    """An honest seal for the state ``rows``, unless told otherwise."""
    names = sum(row[1:2] == b"n" for row in rows)
    size = sum(len(RAW) for row in rows if row[1:2] == b"o" and len(row) > 60)
    return Seal(
        number,
        parent,
        5,
        True,
        digest_of(rows) if digest is None else digest,
        names if entries is None else entries,
        size,
        0,
        count,
    )


def opened(secondary: Secondary, hello: Hello = HELLO) -> Receiver:
    """A receiver that has answered the hello."""
    receiver = secondary.accept("alpha", hello)
    assert isinstance(receiver, Receiver)
    receiver.open()
    return receiver


def take(receiver: Receiver, *parts: PrimaryPart) -> None:
    """Handle one batch whole."""
    receiver.handle(parts)
    receiver.flush()


def with_base(secondary: Secondary) -> Receiver:
    """A receiver that has taken ``BASE`` as its first commit."""
    receiver = opened(secondary)
    take(receiver, data(), offer(BASE), seal(BASE, len(BASE)))
    assert digest_of(BASE) == secondary.digest()
    return receiver


def refused(secondary: Secondary, receiver: Receiver, *parts: PrimaryPart) -> None:
    """The batch is refused; the state is as before, and an honest call goes on from there."""
    before = secondary.digest()
    with pytest.raises(WireError):
        take(receiver, *parts)
    receiver.close()
    after = opened(secondary)
    newest: Commit | None = secondary.catalog.newest()
    if newest is None:
        take(after, data(), offer(BASE), seal(BASE, len(BASE)))
    else:
        added = encode_name(ROOT, b"honest", FILE)
        rows = [*BASE, added]
        take(after, offer([added], (), TWO, ONE), seal(rows, 1, TWO, ONE))
    after.close()
    assert before != secondary.digest()
