"""Problems of single paths: known by path while there is room, counted beyond."""

from __future__ import annotations

import errno

import pytest

from agent.capture.path_problems import PathProblems
from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import SOCKET_SKIPPED, UNFIT, UNREADABLE
from agent.core.row_checks import Unfit


def _problems() -> tuple[PathProblems, ProblemBoard]:
    board = ProblemBoard()
    return PathProblems(board, ManualClock(), lambda path: path == b"known"), board


def test_what_the_standby_has_of_an_unreadable_file_is_said() -> None:
    """Its last version, or nothing: it is known here, and whoever reads it at night asks just that."""
    problems, board = _problems()
    for path in (b"known", b"new"):
        problems.unreadable(path, PermissionError(errno.EACCES, "Permission denied"))
        problems.unreadable(path, Unfit("its attributes are too large"))
    said = {(problem.path, problem.code): problem.message.partition("; ")[2] for problem in board.listed()[0]}
    kept, nothing = "a standby keeps the last version that came to it", "no standby has any of it"
    assert {
        (b"known", UNREADABLE): kept,
        (b"known", UNFIT): kept,
        (b"new", UNREADABLE): nothing,
        (b"new", UNFIT): nothing,
    } == said


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.EACCES, "setfacl -m u:"), (errno.EIO, "kernel log"), (None, "none needed")],
)
def test_the_way_out_is_that_of_the_error(number: int | None, word: str) -> None:
    """A disk that fails is no matter of permissions; who is to be let read it is named."""
    problems, board = _problems()
    problems.unreadable(b"new", OSError(number, "no") if number else OSError("it never stands still"))
    assert word in board.listed()[0][0].remedy


def test_a_path_that_is_too_long_is_only_counted() -> None:
    """Users make them of any length, and many: nothing of them is kept, and the next full look counts them anew."""
    problems, board = _problems()
    deep = b"d/" * 100_000
    problems.socket(b"near")
    for number in range(3):
        problems.socket(deep + b"%d" % number)
    rows, more = board.listed()
    assert ([b"near"], {SOCKET_SKIPPED: 3}, [b"near"]) == ([row.path for row in rows], more, problems.paths())
    problems.look_begins()
    assert {} == board.listed()[1]


def test_paths_that_are_known_are_bounded_in_bytes() -> None:
    """Those beyond are counted; there is room again when others are well."""
    problems, board = _problems()
    paths = [b"%05d/" % number + b"d" * 4000 for number in range(5000)]
    for path in paths:
        problems.socket(path)
    known = problems.paths()
    assert (True, 5000 - len(known)) == (
        sum(map(len, known)) <= 16 << 20,
        board.listed()[1][SOCKET_SKIPPED] - len(known) + 100,
    )
    for path in known:
        problems.gone(path)
    problems.socket(paths[-1])
    assert [paths[-1]] == problems.paths()


def test_who_is_to_read_a_file_is_typed_of_the_whole_path() -> None:
    """As a shell takes it, on the node of the source."""
    board = ProblemBoard()
    PathProblems(board, ManualClock(), lambda _: False, b"/srv/web").unreadable(b"a b", OSError(errno.EACCES, "no"))
    assert ":rX '/srv/web/a b'; or exclude it" in board.listed()[0][0].remedy
