"""The digest depends on the set of rows only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.digest import BUCKETS, GROUP, SUM_BYTES, WIDTH, Digest, bucket_of, digest_of, is_among
from agent.core.ids import ObjectId
from agent.core.rows import encode_name

ROWS = st.lists(
    st.builds(encode_name, st.integers(2, 50).map(ObjectId), st.binary(min_size=1, max_size=3), st.integers(2, 50)),
    max_size=40,
    unique=True,
)


@given(ROWS, st.randoms())
def test_order_does_not_matter(rows: list[bytes], random: object) -> None:
    """The same rows in another order give the same digest."""
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random
    assert digest_of(rows) == digest_of(shuffled)


@given(ROWS, ROWS)
def test_adding_and_removing_leaves_nothing(base: list[bytes], extra: list[bytes]) -> None:
    """What was added and removed again does not show, and values taken between do no harm."""
    digest = Digest()
    digest.add(base)
    before = digest.value()
    digest.add(extra)
    digest.value()
    digest.remove(extra)
    assert before == digest.value() == digest_of(base)


@given(ROWS)
def test_stored_buckets_bring_it_back(rows: list[bytes]) -> None:
    """The touched blocks are all that must be stored."""
    digest = Digest()
    digest.add(rows)
    stored = dict(digest.take_touched())
    again = Digest()
    again.load(stored.items())
    assert digest.value() == again.value()
    assert [] == list(digest.take_touched())


def test_one_different_row_shows() -> None:
    """Two states that differ in one row have different digests."""
    one, other = encode_name(2, b"a", 3), encode_name(2, b"a", 4)
    assert digest_of([one]) != digest_of([other])
    assert digest_of([]) != digest_of([one])


@given(ROWS, ROWS)
def test_differing_groups_hold_the_differing_rows(one: list[bytes], other: list[bytes]) -> None:
    """Groups are what the digest is made of, and a row that one side has alone shows in its group and its bucket."""
    ours, theirs = Digest(), Digest()
    ours.add(one)
    theirs.add(other)
    for row in set(one) ^ set(other):
        group, bucket = divmod(bucket_of(row), GROUP)
        at = slice(group * WIDTH, (group + 1) * WIDTH)
        assert ours.groups()[at] != theirs.groups()[at]
        here = slice(bucket * SUM_BYTES, (bucket + 1) * SUM_BYTES)
        assert ours.group(group)[here] != theirs.group(group)[here]


def test_a_row_is_among_its_bucket() -> None:
    """One bit for each bucket, from the lowest of the first byte on."""
    row = encode_name(2, b"a", 3)
    number = bucket_of(row)
    bits = (1 << number).to_bytes(BUCKETS // 8, "little")
    assert (True, False) == (is_among(row, bits), is_among(row, bytes(b ^ 255 for b in bits)))
