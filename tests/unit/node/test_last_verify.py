"""A verify that found differences stays a problem until one finds none."""

from __future__ import annotations

from pathlib import Path

from agent.core.problem import ProblemBoard, Severity
from agent.core.problem_codes import VERIFY_DIFFERENCES
from agent.core.standing import Verified
from agent.node.following.checking.last_verify import FILE, Verifies

BAD, BAD_DEEP = Verified(1, False, False, 3), Verified(2, False, True, 2)
GOOD, GOOD_DEEP = Verified(3, True, False, 0), Verified(4, True, True, 0)


def opened(home: Path) -> tuple[Verifies, ProblemBoard]:
    """As at a start of the agent."""
    board = ProblemBoard()
    one = Verifies("web", home, board)
    one.open()
    return one, board


def test_differences_are_a_problem_over_a_restart(tmp_path: Path) -> None:
    """What was found, when, and what to type; an agent that starts anew says the same."""
    one, board = opened(tmp_path)
    assert (None, [], {}) == (one.last, *board.listed())
    one.ended(BAD_DEEP, ["content", "mode"])
    found = board.listed()[0]
    assert [(VERIFY_DIFFERENCES, Severity.ERROR, 2)] == [(p.code, p.severity, p.since) for p in found]
    assert found[0].message.endswith("is not what its commit says: 2 differences (1 × content, 1 × mode)")
    assert "hikae verify web --deep --repair" in found[0].remedy
    again, after = opened(tmp_path)
    assert (BAD_DEEP, found) == (again.last, after.listed()[0])


def test_only_a_verify_that_looks_as_far_ends_it(tmp_path: Path) -> None:
    """One that reads nothing does not refute what reading found; any verify refutes what a look found."""
    one, board = opened(tmp_path)
    one.ended(BAD_DEEP, ["content"])
    one.ended(GOOD, [])
    assert (GOOD, True) == (one.last, board.has(VERIFY_DIFFERENCES))
    one.ended(GOOD_DEEP, [])
    assert not board.has(VERIFY_DIFFERENCES)
    one.ended(BAD, ["mode"])
    one.ended(GOOD, [])
    assert (False, False) == (board.has(VERIFY_DIFFERENCES), opened(tmp_path)[1].has(VERIFY_DIFFERENCES))


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    """Losing it costs what it said, and never the start."""
    for text in ("", "{}", "[]", '{"last": {"time": "x"}, "found": null}'):
        (tmp_path / FILE).write_text(text)
        one, board = opened(tmp_path)
        assert (None, False) == (one.last, board.has(VERIFY_DIFFERENCES))
