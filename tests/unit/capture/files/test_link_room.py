"""What a slow link has room for."""

from __future__ import annotations

import pytest

from agent.capture.files.link_room import LinkRoom
from agent.capture.outlet import Room
from agent.chunking.reader import LARGE, SLICE

KIB = 1024


@pytest.fixture
def link() -> LinkRoom:
    """It carries 64 KiB in half a second, and has room for 32 KiB of what waits."""
    made = LinkRoom()
    made.room = Room(64 * KIB, 32 * KIB)
    return made


def test_while_no_link_is_slow_only_size_counts() -> None:
    """Nothing waits for room."""
    link = LinkRoom()
    assert (SLICE, False, True) == (link.slice, link.is_ahead(LARGE), link.is_ahead(LARGE + 1))
    assert not link.is_too_much(LARGE, 1 << 40)


def test_what_takes_the_link_longer_than_a_moment_goes_ahead(link: LinkRoom) -> None:
    """In slices of a moment."""
    assert (64 * KIB, False, True) == (link.slice, link.is_ahead(64 * KIB), link.is_ahead(64 * KIB + 1))


def test_what_waits_has_the_room_of_now_and_what_is_tiny_a_moment_more(link: LinkRoom) -> None:
    """Less what the commit in hand has already."""
    assert (False, True) == (link.is_too_much(32 * KIB, 0), link.is_too_much(32 * KIB, 1))
    assert (False, True) == (link.is_too_much(4 * KIB, 92 * KIB), link.is_too_much(4 * KIB, 92 * KIB + 1))
