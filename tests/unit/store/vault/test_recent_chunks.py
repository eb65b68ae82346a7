"""Recent chunks: bounded, and of use to a reader that lags."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.store.vault.recent_chunks import ENTRY, RecentChunks


def _name(number: int) -> bytes:
    return b"%d" % number


def test_a_reader_that_lags_finds_what_it_wants_next() -> None:
    """Four come for each that is read, far more than fits: what was kept first is still there when its turn comes."""
    recent = RecentChunks(100, entry=0)
    for number in range(40):
        recent.put(_name(number), bytes(10))
    assert [bytes(10)] * 10 == [recent.get(_name(number)) for number in range(10)]
    assert recent.get(_name(10)) is None


def test_what_was_read_makes_room_first() -> None:
    """A newcomer takes the place of what was read, not of what is still to come."""
    recent = RecentChunks(30, entry=0)
    for number in range(3):
        recent.put(_name(number), bytes(10))
    recent.get(_name(1))
    recent.put(_name(3), bytes(10))
    assert [True, False, True, True] == [recent.get(_name(number)) is not None for number in range(4)]


def test_what_the_reader_passed_by_makes_room() -> None:
    """Chunks that nobody came for do not stay for ever."""
    recent = RecentChunks(40, entry=0)
    for number in range(4):
        recent.put(_name(number), bytes(10))
    recent.get(_name(3))
    recent.put(b"in the place of what was read", bytes(10))
    recent.put(b"in the place of the first", bytes(10))
    assert [True, False] == [recent.get(name) is not None for name in (b"in the place of the first", _name(0))]


def test_a_chunk_may_be_wanted_again() -> None:
    """Many files may share one chunk."""
    recent = RecentChunks(30, entry=0)
    recent.put(b"shared", b"data")
    assert [b"data", b"data"] == [recent.get(b"shared"), recent.get(b"shared")]


def test_dropped_chunks_are_gone() -> None:
    """Read or not; unknown ones are no error."""
    recent = RecentChunks(30, entry=0)
    for name in (b"read", b"unread"):
        recent.put(name, b"data")
    recent.get(b"read")
    for name in (b"read", b"unread", b"unknown"):
        recent.drop(name)
    assert (0, 0) == (len(recent), recent.size)


@given(
    st.lists(st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 20), st.integers(0, 50)), max_size=200)
)
def test_it_is_bounded_and_never_wrong(steps: list[tuple[str, int, int]]) -> None:
    """Never more than the limit, and what it gives is what was put."""
    recent = RecentChunks(100, entry=0)
    for step, number, size in steps:
        if step == "put":
            recent.put(_name(number), bytes([number]) * size)
        elif step == "drop":
            recent.drop(_name(number))
        else:
            found = recent.get(_name(number))
            assert found is None or set(found) <= {number}
        assert recent.size <= 100


def test_small_chunks_take_more_than_their_bytes() -> None:
    """However many come, what is kept of them stays within what they really take."""
    recent = RecentChunks(100 * ENTRY)
    for number in range(10_000):
        recent.put(_name(number), b"x")
        recent.get(_name(number))
    assert (99, 99 * (ENTRY + 1)) == (len(recent), recent.size)
    recent.drop(_name(0))
    assert 99 * (ENTRY + 1) == recent.size
