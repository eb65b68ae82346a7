"""The window's counts beside a model that keeps every row; where a window begins; memory."""

from __future__ import annotations

import random

from agent.apply.brake.loss_window import STRETCHES, Window, WindowMark
from agent.core.ids import CommitNumber

SECOND = 10**9


def window(seconds: float, *marks: tuple[int, float]) -> Window:
    """A window with marks: ``(number, second)``."""
    made = Window(seconds)
    first, *others = (WindowMark(CommitNumber(number), int(second * SECOND), 100, 100) for number, second in marks)
    made.begin(first)
    for mark in others:
        made.add(mark)
    return made


def test_the_base_is_the_last_mark_before_the_window() -> None:
    """At the beginning of a stretch (here one second); the first mark when all is newer, and no later than the floor."""
    it = window(32, (1, 0), (2, 10), (3, 20.5), (4, 30))
    found = [it.base(int(second * SECOND), CommitNumber(9)).number for second in (5, 42, 43.1, 52.9, 53.2, 61.9, 500)]
    assert [1, 1, 2, 2, 3, 3, 4] == found
    assert 2 == it.base(500 * SECOND, CommitNumber(2)).number


def test_a_row_counts_where_it_stood_and_once() -> None:
    """Born before or at a mark and ended after it; what came and went between two marks counts at none."""
    it = window(32, (1, 0), (5, 10), (9, 20))
    it.names_ended([(1, 2, 1), (1, 6, 10), (6, 8, 100), (5, 12, 1000), (9, 10, 10_000)])
    assert [11, 1010, 11_000] == [mark.names for mark in it.marks]
    it.objects_ended([(4, 20, 7)])
    assert [0, 7, 7] == [mark.objects for mark in it.marks]


def test_what_ended_since_history_was_asked_counts_apart() -> None:
    """The mark of the question is none of the window's."""
    it = window(32, (1, 0))
    it.asked = WindowMark(CommitNumber(5), 0, 100, 100)
    it.names_ended([(1, 3, 1), (2, 6, 10)])
    assert (1, 10) == (it.marks[0].names, it.asked.names)


def test_trimming_keeps_what_windows_can_begin_with() -> None:
    """The floor, the last before the window, and all within."""
    it = window(32, (1, 0), (2, 100), (3, 110), (4, 120), (5, 130))
    it.trim(150 * SECOND, CommitNumber(1))
    assert [1, 3, 4, 5] == [mark.number for mark in it.marks]
    it.trim(150 * SECOND, CommitNumber(9))
    assert [3, 4, 5] == [mark.number for mark in it.marks]


def test_memory_is_the_same_for_every_history() -> None:
    """A mark a stretch, however many commits there are."""
    it = window(900, (1, 0))
    for number in range(2, 20_000):
        received = number * SECOND // 10
        if it.stretch_of(received) > it.marks[-1].received:
            it.add(WindowMark(CommitNumber(number), received, 100, 100))
            it.trim(received, CommitNumber(number))
        assert len(it.marks) <= STRETCHES + 3


def test_counts_equal_those_of_a_model(rng: random.Random) -> None:
    """Random rows with random lives: every mark counts just those that stood there and are gone."""
    for _ in range(100):
        numbers = sorted(rng.sample(range(1, 60), 6))
        it = window(32, *((number, number) for number in numbers))
        rows = [tuple(sorted(rng.sample(range(1, 60), 2))) for _ in range(40)]
        it.names_ended((since, until, 1) for since, until in rows)
        expected = [sum(since <= number < until for since, until in rows) for number in numbers]
        assert expected == [mark.names for mark in it.marks]
