"""Names that were marked."""

from __future__ import annotations

import random

from agent.store.marks import NearMarks, marks_for


def test_few_names_are_marked_exactly() -> None:
    """Many nearly."""
    assert [True, False] == [isinstance(marks_for(count, 10), set) for count in (10, 11)]


def test_whatever_was_marked_is(seed: int) -> None:
    """And of other names one of some thousands is taken for it."""
    chance = random.Random(seed)
    marks = NearMarks(20_000, chance.randrange(17))
    marked, others = ([chance.randbytes(32) for _ in range(20_000)] for _ in range(2))
    for name in marked:
        marks.add(name)
    assert 20_000 == sum(name in marks for name in marked)
    assert 30 > sum(name in marks for name in others)


def test_what_passed_for_marked_once_does_not_with_other_bytes() -> None:
    """So it goes with the next collection."""
    chance = random.Random(1)
    names = [chance.randbytes(32) for _ in range(300)]
    passing = []
    for taken in (0, 16):
        marks = NearMarks(1, taken)
        marks._size = 1000
        for name in names[:100]:
            marks.add(name)
        passing.append({name for name in names[100:] if name in marks})
    assert passing[0]
    assert passing[1]
    assert passing[0] != passing[1]
