"""The board of problems: first moment kept, bounded, cleared by cause."""

from __future__ import annotations

from agent.core.problem import PATH_KEPT, Problem, ProblemBoard, Severity, kept_path
from agent.core.problem_codes import PROBLEM_CODES


def _problem(code: str, path: bytes = b"", since: int = 1, severity: Severity = Severity.WARNING) -> Problem:
    return Problem(PROBLEM_CODES[code], severity, since, path, "message", "remedy")


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
    board.put(_problem("socket-skipped", severity=Severity.INFO))
    board.put(_problem("unreadable", severity=Severity.ERROR))
    assert ["unreadable", "socket-skipped"] == [row.code for row in board.listed()[0]]


def test_many_of_one_kind_hide_no_other() -> None:
    """A thousand remarks, and then one error: it stands first; each kind has places of its own."""
    board = ProblemBoard(limit=3)
    for number in range(1000):
        board.put(_problem("socket-skipped", b"%d" % number, severity=Severity.INFO))
    board.put(_problem("unreadable", b"odd", severity=Severity.ERROR))
    rows, more = board.listed()
    assert (["unreadable", *["socket-skipped"] * 3], {"socket-skipped": 997}) == ([row.code for row in rows], more)


def test_the_worst_of_a_kind_are_kept() -> None:
    """What matters more takes the place of what matters less, which is counted."""
    board = ProblemBoard(limit=2)
    for number, severity in enumerate(
        (Severity.INFO, Severity.WARNING, Severity.INFO, Severity.ERROR, Severity.WARNING)
    ):
        board.put(_problem("watch", b"%d" % number, severity=severity))
    rows, more = board.listed()
    assert ([b"3", b"1"], {"watch": 3}) == ([row.path for row in rows], more)


def test_what_is_only_counted_ends_with_its_cause() -> None:
    """By its own path too, in any order; put twice it counts once; while some is left, one line stands for it."""
    board = ProblemBoard(limit=2)
    for _ in range(2):
        for number in range(6):
            board.put(_problem("unreadable", b"%d" % number))
    assert {"unreadable": 4} == board.listed()[1]
    for number in (0, 1, 5, 4):
        board.clear("unreadable", b"%d" % number)
    ((row,), more) = board.listed()
    assert (b"", "of 2 paths, which the next look at everything names: message", {}) == (row.path, row.message, more)
    for number in (2, 3):
        board.clear("unreadable", b"%d" % number)
    assert ([], {}, False) == (*board.listed(), board.has("unreadable"))


def test_a_full_look_says_how_many_there_are() -> None:
    """The first with their paths, the others as a number; none is none."""
    board = ProblemBoard()
    board.replace("owed", [_problem("owed", b"a"), _problem("owed", b"b")], 7)
    assert (2, {"owed": 5}) == (len(board.listed()[0]), board.listed()[1])
    board.replace("owed", [], 0)
    assert ([], {}) == board.listed()


def test_a_path_of_any_length_is_kept_short() -> None:
    """Its ends stand for it, no two paths are one, and it ends with its cause."""
    board = ProblemBoard()
    deep = [b"d/" * 400_000 + name + b"/e" * 1000 for name in (b"a", b"b")]
    for path in deep:
        board.put(_problem("unreadable", path))
    rows = board.listed()[0]
    assert (2, True) == (len({row.path for row in rows}), all(len(row.path) <= PATH_KEPT for row in rows))
    assert [row.path for row in rows] == [kept_path(row.path) for row in rows]
    board.keep_only("unreadable", deep[:1])
    assert [kept_path(deep[0])] == [row.path for row in board.listed()[0]]
    board.clear("unreadable", deep[0])
    assert not board.has("unreadable")


def test_what_is_only_counted_ends_with_a_full_look() -> None:
    """It is known by no path, and stands for all of its kind until then."""
    board = ProblemBoard()
    board.count(_problem("unreadable", b"a" * 5000))
    assert [b""] == [row.path for row in board.listed()[0]]
    board.forget_unknown(["unreadable"])
    assert not board.has("unreadable")
