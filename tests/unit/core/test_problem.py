"""The board of problems: first moment kept, bounded, cleared by cause."""

from __future__ import annotations

from agent.core.problem import Problem, ProblemBoard, Severity


def _problem(code: str, path: bytes = b"", since: int = 1, severity: Severity = Severity.WARNING) -> Problem:
    return Problem(code, severity, since, path, "message", "remedy")


def test_the_first_moment_is_kept() -> None:
    """A problem that is put again keeps its beginning and takes the new words."""
    board = ProblemBoard()
    board.put(_problem("unreadable", b"a", since=5))
    board.put(_problem("unreadable", b"a", since=9, severity=Severity.ERROR))
    assert [_problem("unreadable", b"a", since=5, severity=Severity.ERROR)] == board.listed()[0]


def test_the_board_is_bounded() -> None:
    """Beyond the limit problems are counted, not kept."""
    board = ProblemBoard(limit=2)
    for number in range(5):
        board.put(_problem("unreadable", b"%d" % number))
    rows, more = board.listed()
    assert (2, {"unreadable": 3}) == (len(rows), more)


def test_problems_clear_with_their_cause() -> None:
    """One path, all of a code, or all but what a full look found."""
    board = ProblemBoard()
    for path in (b"a", b"b", b"c"):
        board.put(_problem("unreadable", path))
    board.clear("unreadable", b"a")
    board.keep_only("unreadable", [b"c"])
    assert [b"c"] == [row.path for row in board.listed()[0]]
    board.clear_code("unreadable")
    assert not board.has("unreadable")


def test_the_worst_comes_first() -> None:
    """Errors stand before warnings before information."""
    board = ProblemBoard()
    board.put(_problem("a", severity=Severity.INFO))
    board.put(_problem("b", severity=Severity.ERROR))
    assert ["b", "a"] == [row.code for row in board.listed()[0]]
