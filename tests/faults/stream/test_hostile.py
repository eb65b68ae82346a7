"""A primary that lies: everything is refused, nothing of it stays."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.digest import digest_of
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number
from agent.core.rows import ObjectRow, encode_name, encode_object, name_key, object_key
from agent.stream.messages import (
    Batch,
    Data,
    Hello,
    Offer,
    Seal,
    Withdraw,
)
from agent.stream.versions import SPOKEN
from fakes.hostile import (
    BASE,
    CONTENT,
    FILE,
    HELLO,
    ONE,
    OTHER,
    RAW,
    TWO,
    A,
    B,
    C,
    data,
    offer,
    opened,
    refused,
    seal,
    take,
    with_base,
)
from fakes.stream_fakes import Secondary, directory_row, file_row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


@pytest.mark.parametrize(
    "lie",
    [
        data(length=1),
        data(length=chunks.MAX_CHUNK + 1),
        data(length=0),
        data(length=(1 << 31) - 1),
        data(codec=7),
        data(kind=1),
        data(codec=1, stored=zstd.compress(bytes(1 << 20)), length=100),
        data(codec=1, stored=zstd.compress(bytes(64 << 20)), length=1 << 20),
        data(codec=1, stored=b"no frame"),
        data(codec=1, stored=zstd.compress(RAW) + b"more"),
        Data(b"\0", b"\0", [7], [700], RAW),
        Data(b"\0\0", b"\0", [7], [7], RAW),
        Data(b"\0\0", b"\0\0", [7, 7], [14, -7], RAW),
    ],
)
def test_chunks_that_are_not_what_they_claim(secondary: Secondary, lie: Data) -> None:
    """Lengths, kinds, codecs, bombs."""
    refused(secondary, opened(secondary), lie)


def test_other_bytes_than_the_rows_name(secondary: Secondary) -> None:
    """Bytes under a wrong name are not what is asked for: the seal finds the chunk missing."""
    refused(secondary, opened(secondary), data(b"evil!!!"), offer(BASE), seal(BASE, len(BASE)))


def test_data_passed_for_a_list(secondary: Secondary) -> None:
    """A chunk list has names of its own kind."""
    rows = [directory_row(ROOT), file_row(FILE, CONTENT, len(RAW)), encode_name(ROOT, b"f", FILE)]
    refused(secondary, opened(secondary), data(kind=chunks.PIECE), offer(rows), seal(rows, 3))


def test_list_that_covers_less_than_it_claims(secondary: Secondary) -> None:
    """A piece is opened and measured before its file is believed."""
    inner = chunks.encode([chunks.Chunk(chunks.DATA, len(RAW), chunks.name_of(RAW))])
    lying = chunks.encode([chunks.Chunk(chunks.PIECE, 5000, chunks.name_of_list(inner))])
    rows = [directory_row(ROOT), file_row(FILE, lying, 5000), encode_name(ROOT, b"f", FILE)]
    parts = (data(), data(inner, chunks.PIECE), offer(rows), seal(rows, 3))
    refused(secondary, opened(secondary), *parts)


def test_list_without_its_chunks(secondary: Secondary) -> None:
    """What a piece names must be there too."""
    inner = chunks.encode([chunks.Chunk(chunks.DATA, 9, chunks.name_of(b"never sent"))])
    content = chunks.encode([chunks.Chunk(chunks.PIECE, 9, chunks.name_of_list(inner))])
    rows = [directory_row(ROOT), file_row(FILE, content, 9), encode_name(ROOT, b"f", FILE)]
    refused(secondary, opened(secondary), data(inner, chunks.PIECE), offer(rows), seal(rows, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        seal(BASE, len(BASE), digest=b"x" * 32),
        seal(BASE, len(BASE), digest=b""),
        seal(BASE, len(BASE) - 1),
        seal(BASE, len(BASE), entries=7),
        seal(BASE, len(BASE), number=TWO),
        seal(BASE, len(BASE), parent=ONE),
    ],
)
def test_seal_that_does_not_fit(secondary: Secondary, wrong: Seal) -> None:
    """Digest, counts, number and parent are those of what was offered."""
    refused(secondary, opened(secondary), data(), offer(BASE), wrong)


@pytest.mark.parametrize(
    "puts",
    [
        [encode_name(ROOT, b"..", FILE)],
        [encode_name(ROOT, b"a/b", FILE)],
        [encode_name(ROOT, b"nul\0", FILE)],
        [encode_name(ROOT, b".hikae", FILE)],
        [encode_name(ROOT, b"n" * 256, FILE)],
        [encode_name(ROOT, b"x", ROOT)],
        [encode_name(ROOT, b"x", ObjectId(99))],
        [encode_name(ObjectId(99), b"x", FILE)],
        [encode_name(FILE, b"x", FILE)],
        [encode_name(ROOT, b"twice", B)],
        [encode_object(ObjectRow(FILE, stat.S_IFDIR | 0o755, 0, 0, 1))],
        [encode_object(ObjectRow(A, stat.S_IFLNK | 0o777, 0, 0, 1, content=b"/etc"))],
        [directory_row(C), encode_name(C, b"x", C)],
        [b"\x01"],
        [b""],
        [b"\x02" + BASE[0][1:]],
        [BASE[3] + b"more"],
        [file_row(OTHER, CONTENT, 1 << 62)],
    ],
)
def test_rows_out_of_the_tree(secondary: Secondary, puts: list[bytes]) -> None:
    """No row leaves the tree, gives a directory two names, changes a type or names what is not there."""
    rows = [*BASE, *puts]
    receiver = with_base(secondary)
    honest = digest_of([row for row in rows if len(row) > 18])
    refused(secondary, receiver, offer(puts, (), TWO, ONE), seal(rows, len(puts), TWO, ONE, digest=honest))


@pytest.mark.parametrize(
    ("puts", "drops"),
    [
        ([], [object_key(FILE)]),
        ([], [object_key(A), name_key(ROOT, b"a")]),
        ([], [object_key(ROOT)]),
        ([], [name_key(ROOT, b"unknown")]),
        ([], [object_key(OTHER)]),
        ([], [b"o"]),
        ([encode_name(B, b"circle", A)], [name_key(ROOT, b"a")]),
    ],
)
def test_drops_that_leave_something_behind(secondary: Secondary, puts: list[bytes], drops: list[bytes]) -> None:
    """What is dropped has no names or entries left, and nothing is cut off from the root."""
    receiver = with_base(secondary)
    left = [row for row in BASE if row not in (BASE[3], BASE[1])]
    parts = (offer(puts, drops, TWO, ONE), seal(left, len(puts) + len(drops), TWO, ONE))
    refused(secondary, receiver, *parts)


def test_directory_moved_honestly(secondary: Secondary) -> None:
    """Moving a directory with entries, names before drops, is no circle."""
    receiver = with_base(secondary)
    moved = encode_name(ROOT, b"b", B)
    rows = [*(row for row in BASE if row != BASE[5]), moved]
    take(receiver, offer([moved], [name_key(A, b"b")], TWO, ONE), seal(rows, 2, TWO, ONE))
    assert digest_of(rows) == secondary.digest()
    receiver.close()


def test_replay_of_a_sealed_commit(secondary: Secondary) -> None:
    """The same commit again is refused."""
    receiver = with_base(secondary)
    refused(secondary, receiver, data(), offer(BASE), seal(BASE, len(BASE)))


@pytest.mark.parametrize(
    ("number", "parent"),
    [
        (commit_number(2, 1), ONE),
        (TWO, TWO),
        (TWO, NOTHING),
        (commit_number(1, 1 << 39), ONE),
        (commit_number(1, (1 << 40) - 1), ONE),
    ],
)
def test_commit_of_another_epoch_or_parent(secondary: Secondary, number: CommitNumber, parent: CommitNumber) -> None:
    """A commit recorded on another stream does not fit; neither does one that would start over in this epoch."""
    receiver = with_base(secondary)
    added = encode_name(ROOT, b"more", FILE)
    parts = (offer([added], (), number, parent), seal([*BASE, added], 1, number, parent))
    refused(secondary, receiver, *parts)


def test_seal_without_its_offer_after_a_withdrawal(secondary: Secondary) -> None:
    """What was withdrawn cannot be sealed."""
    refused(secondary, opened(secondary), data(), offer(BASE), Withdraw(ONE), seal(BASE, len(BASE)))


@pytest.mark.parametrize(
    "batch",
    [
        (HELLO,),
        (offer(BASE), offer(BASE, (), TWO, ONE)),
        (offer(BASE), Withdraw(TWO)),
        (offer(BASE), offer(BASE)),
        (Offer(0, ONE, NOTHING, b"\x01\x00\x00\x00\xff"),),
        (Offer(0, ONE, NOTHING, b"\x03\x00\x00\x00\x00"),),
        (Offer(0, ONE, NOTHING, b"\x01\xff\xff\xff\xff" + b"x" * 100),),
        (Offer(0, NOTHING, NOTHING, offer(BASE).rows),),
    ],
)
def test_out_of_order_and_malformed(secondary: Secondary, batch: Batch) -> None:
    """A second hello, two commits at once, a withdrawal of another, a key twice, blobs cut short."""
    refused(secondary, opened(secondary), *batch)


def test_end_is_never_a_commit(secondary: Secondary) -> None:
    """Everything but the seal came: nothing stays but chunks."""
    receiver = opened(secondary)
    take(receiver, data(), offer(BASE))
    receiver.close()
    assert (None, []) == (secondary.digest(), secondary.vault.missing([chunks.name_of(RAW)]))


def test_seals_share_a_sync(secondary: Secondary) -> None:
    """Commits that came together are each sealed, in order, by one flush."""
    receiver = opened(secondary)
    added = encode_name(ROOT, b"more", FILE)
    second = (offer([added], (), TWO, ONE), seal([*BASE, added], 1, TWO, ONE))
    take(receiver, data(), offer(BASE), seal(BASE, len(BASE)), *second)
    receiver.close()
    assert [ONE, TWO] == [commit.number for commit in secondary.catalog.commits(NOTHING, 10)]


def test_second_of_two_shared_seals_is_a_lie(secondary: Secondary) -> None:
    """The first is kept, the second leaves nothing."""
    receiver = opened(secondary)
    added = encode_name(ROOT, b"more", FILE)
    second = (offer([added], (), TWO, ONE), seal(BASE, 1, TWO, ONE))
    refused_after = (data(), offer(BASE), seal(BASE, len(BASE)), *second)
    with pytest.raises(WireError):
        take(receiver, *refused_after)
    receiver.close()
    assert digest_of(BASE) == secondary.digest()


def test_higher_epoch_is_met_durably(secondary: Secondary) -> None:
    """A higher epoch in a hello is written down before it is answered."""
    with_base(secondary).close()
    higher = Epoch(5, "alpha", b"5" * 16)
    opened(secondary, Hello("alpha", "web", SPOKEN, higher, NOTHING, b"n" * 32)).close()
    assert higher == secondary.catalog.lineage[-1]
