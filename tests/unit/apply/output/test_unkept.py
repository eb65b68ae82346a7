"""What a filesystem may have made of a time, and how what it does not keep is counted."""

from __future__ import annotations

import pytest

from agent.apply.output.unkept import Unkept, UnkeptReport, could_be_kept_as
from agent.core.ids import ObjectId
from agent.core.problem import ProblemBoard

S = 1_000_000_000


@pytest.mark.parametrize(
    ("wanted", "stands", "could"),
    [
        (5 * S + 123_456_789, 5 * S + 123_456_789, True),
        (5 * S + 123_456_789, 5 * S + 123_456_700, True),
        (5 * S + 123_456_789, 5 * S + 123_456_000, True),
        (5 * S + 123_456_789, 5 * S, True),
        (5 * S + 123_456_789, 4 * S, True),
        (5 * S + 123_456_789, 3 * S, False),
        (5 * S + 123_456_789, 5 * S + 1, False),
        (5 * S + 123_456_789, 6 * S, False),
        (10_413_792_000 * S, ((1 << 31) - 1) * S, True),
        (-11_676_096_000 * S, -(1 << 31) * S, True),
    ],
)
def test_a_time_is_cut_to_a_grain_or_to_where_times_end(wanted: int, stands: int, could: bool) -> None:
    """It is never rounded up."""
    assert could == could_be_kept_as(wanted, stands)


def test_kinds_are_counted_over_all_that_have_them() -> None:
    """One object may lack several; each kind is one problem, with the first paths, and ends with the last of it."""
    facts = {
        int(Unkept.TIMES): (2, [ObjectId(2), ObjectId(3)]),
        int(Unkept.TIMES | Unkept.OBJECT): (5, [ObjectId(4)]),
    }
    board = ProblemBoard()
    report = UnkeptReport(lambda: facts, board)
    report.tell(1, lambda id: b"f%d" % id, whole=False)
    assert {
        ("not-kept", "5", "'f4'"),
        ("times-not-kept", "7", "'f2', 'f3', 'f4'"),
    } == {(p.code, p.message.split()[0], p.message.partition("first: ")[2]) for p in board.listed()[0]}
    facts.clear()
    report.ran(0)
    report.tell(2, lambda id: None, whole=False)
    assert [] == board.listed()[0]
