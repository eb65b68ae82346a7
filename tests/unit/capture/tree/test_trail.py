"""One look on its way: what it leaves to others."""

from __future__ import annotations

from agent.capture.path_problems import PathProblems
from agent.capture.tree import retries
from agent.capture.tree.retries import Retries
from agent.capture.tree.trail import Purpose, Saw, Trail
from agent.core.clock import SystemClock
from agent.core.ids import ObjectId
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import UNREADABLE
from agent.watch.hint import Hint, Look


def test_what_a_look_saw_is_told_once() -> None:
    """With the age of the hint that it looked for; two trails do not know of one another."""
    one, other = Trail(Purpose(age=5)), Trail(Purpose())
    one.look_again(b"path")
    one.to_walk(ObjectId(7))
    saw = one.saw()
    assert Saw((Hint(b"path", Look.ENTRY),), (ObjectId(7),)) == saw
    assert [5] == [hint.age for hint in saw.again]
    assert (Saw(), Saw()) == (one.saw(), other.saw())


def test_a_walk_takes_what_appeared_itself() -> None:
    """Whoever runs it is told of the rest."""
    trail = Trail(Purpose())
    trail.to_walk(ObjectId(7))
    trail.look_again(b"path")
    assert [ObjectId(7)] == trail.take_appeared()
    assert Saw((Hint(b"path", Look.ENTRY),)) == trail.saw()


def test_a_path_is_not_given_back_for_ever() -> None:
    """One that moves each time is a problem in the end, and is given back as often again after that."""
    board = ProblemBoard()
    it, trail = Retries(PathProblems(board, SystemClock(), lambda _: False)), Trail(Purpose())
    for _ in range(retries._RETRIES + 1):
        it.give_back(trail, b"path")
    assert retries._RETRIES == len(trail.saw().again)
    assert [(UNREADABLE, b"path")] == [(problem.code, problem.path) for problem in board.listed()[0]]
    it.give_back(trail, b"path")
    assert 1 == len(trail.saw().again)
