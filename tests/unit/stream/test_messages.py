"""Rows blobs and weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.commit import Changes
from agent.core.errors import WireError
from agent.stream.messages import ROWS_MAX, Heartbeat, Offer
from agent.stream.rows_blob import blobs_of, changes_in
from agent.stream.weights import weight


@given(st.lists(st.binary(max_size=60)), st.lists(st.binary(max_size=60)), st.integers(1, 200))
def test_changes_come_back_whatever_the_split(puts: list[bytes], drops: list[bytes], target: int) -> None:
    """All changes, in order, in blobs whose counts are right."""
    blobs = list(blobs_of(Changes(puts, drops), target))
    got = [changes_in(blob) for _, blob in blobs]
    assert puts == [row for changes in got for row in changes.puts]
    assert drops == [row for changes in got for row in changes.drops]
    assert [count for count, _ in blobs] == [len(changes) for changes in got]


def test_row_that_fits_no_message() -> None:
    """It is refused on the way out."""
    with pytest.raises(WireError):
        list(blobs_of(Changes([bytes(ROWS_MAX)])))


def test_blob_beyond_the_limit() -> None:
    """It is refused on the way in."""
    with pytest.raises(WireError):
        changes_in(bytes(ROWS_MAX + 1))


def test_heartbeats_weigh_nothing() -> None:
    """Only what takes memory over there takes credit."""
    offer = Offer(1, 0, 0, b"rows", ((0, b"n" * 32),))  # type: ignore[arg-type]  # plain numbers
    assert (0, 69) == (weight((Heartbeat(1.0),)), weight((offer,)))
