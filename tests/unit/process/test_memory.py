"""Garbage in circles is looked for seldom by count, and every second all the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from agent.process import memory


@pytest.fixture
def settled() -> Iterator[None]:
    """As an agent settles in; as it was afterwards."""
    before = gc.get_threshold()
    memory.settle_in()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Circle:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.usefixtures("settled")
def test_what_is_young_and_in_a_circle_goes_with_the_next_second() -> None:
    """However little is made beside it, a circle does not stay: it may hold a large buffer."""
    circle = Circle()
    seen = weakref.ref(circle)
    del circle
    assert seen() is not None
    memory.collect_young()
    assert seen() is None
