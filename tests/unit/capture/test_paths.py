"""Paths of directories: as deep as one stands, its path costs a step from its parent's, and what is remembered is bounded."""

from __future__ import annotations

from agent.capture.paths import Paths
from agent.core.ids import ROOT, ObjectId


class Chain:
    """Directory 2 in the root, each further one in the one before; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.name = b"d"

    def names_of(self, id: ObjectId) -> list[tuple[ObjectId, bytes]]:
        """One level up."""
        self.asked += 1
        return [(ObjectId(id - 1), self.name)]


def test_going_down_costs_a_step_a_level() -> None:
    """Each path from that of the directory above it, and the same again from nothing."""
    chain = Chain()
    paths = Paths(chain.names_of, 64 << 20)
    for level in range(1, 2001):
        assert b"/".join([b"d"] * level) == paths.of(ObjectId(level + ROOT))
        assert 2 * level - 1 == len(paths.of(ObjectId(level + ROOT)) or b"")
    assert 2000 == chain.asked


def test_what_is_remembered_is_bounded() -> None:
    """By bytes; what went is found again."""
    chain = Chain()
    chain.name = b"n" * 255
    paths = Paths(chain.names_of, 1 << 20)
    for level in range(1, 501):
        assert 256 * level - 1 == len(paths.of(ObjectId(level + ROOT)) or b"")
    assert paths.bytes_known <= 1 << 20


def test_what_is_cleared_or_forgotten_is_asked_for_again() -> None:
    """A name changed on the way: the whole way is asked for; one that is on no way: itself."""
    chain = Chain()
    paths = Paths(chain.names_of, 1 << 20)
    assert (b"", b"d/d") == (paths.of(ROOT), paths.of(ObjectId(ROOT + 2)))
    chain.name = b"e"
    paths.forget(ObjectId(ROOT + 2))
    assert b"e/e" == paths.of(ObjectId(ROOT + 2))
    assert b"e/e/e" == paths.of(ObjectId(ROOT + 3))
    chain.name = b"f"
    paths.clear()
    assert b"f/f/f" == paths.of(ObjectId(ROOT + 3))


def test_no_way_to_the_root() -> None:
    """Nameless, and in a circle."""
    assert None is Paths(lambda _: [], 100).of(ObjectId(7))
    assert None is Paths(lambda _: [(ObjectId(7), b"x")], 100).of(ObjectId(7))
