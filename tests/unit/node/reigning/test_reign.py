"""A primary's reign: what ends it, what is said then, and the operator's word that leads out."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import Refused
from agent.core.ids import NOTHING, Epoch, commit_number
from agent.core.problem import ProblemBoard
from agent.node.reigning.reign import Reign
from agent.roles import rewound
from agent.stream.footing import LineageBroken

OURS = Epoch(3, "alpha", b"a" * 16)


class Bench:
    """A reign of alpha with what it tells."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.board, self.clock = ProblemBoard(), ManualClock()
        self.stops = 0
        self.may_rejoin = True
        self.reign = Reign("web", OURS, home, None, stopped=self._stopped, may_rejoin=lambda: self.may_rejoin)

    def _stopped(self) -> None:
        self.stops += 1

    def proven(self, owner: str, number: int) -> None:
        """beta proves an epoch."""
        proof = LineageBroken("beta", Epoch(number, owner, b"b" * 16), NOTHING, b"", False, "alpha")
        self.reign.is_over(proof, commit_number(3, 7), self.board, self.clock)

    def codes(self) -> list[str]:
        """What the board says."""
        return [problem.code for problem in self.board.listed()[0]]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A reign that nobody doubts."""
    return Bench(tmp_path)


def test_it_goes_on_until_it_is_proven_over(bench: Bench) -> None:
    """Nothing is refused, said or kept before."""
    bench.reign.require()
    bench.reign.tell(bench.board)
    assert ([], 0, None) == (bench.codes(), bench.stops, rewound.read_mark(bench.home))


@pytest.mark.parametrize(
    ("owner", "way"),
    [("beta", "hikae serve web --alone --force, then on beta: hikae rejoin web"), ("alpha", "hikae accept web")],
)
def test_who_runs_from_what_is_replicated_is_told_no_way_that_is_refused(bench: Bench, owner: str, way: str) -> None:
    """A rejoin would write over the system, so this node goes on, or is restored from outside."""
    bench.may_rejoin = False
    bench.proven(owner, 4)
    (problem,) = bench.board.listed()[0]
    assert f"if this node is to go on from the disk that it runs from: {way}" in problem.remedy


@pytest.mark.parametrize(("owner", "code"), [("beta", "fenced"), ("alpha", "rewound")])
def test_the_first_proof_ends_it(bench: Bench, owner: str, code: str) -> None:
    """The calls end, it is said and kept durably; a later proof changes nothing."""
    bench.proven(owner, 4)
    bench.proven("beta", 9)
    mark = rewound.read_mark(bench.home)
    assert mark is not None
    assert (1, [code], 4) == (bench.stops, bench.codes(), mark.epoch)
    with pytest.raises(Refused, match=r"hikae serve web --alone|hikae accept web"):
        bench.reign.require()


def test_a_mark_that_cannot_be_kept_is_kept_later(tmp_path: Path) -> None:
    """The disk was full at first: it is tried at each look, and said meanwhile."""
    bench = Bench(tmp_path / "gone")
    bench.proven("beta", 4)
    assert ["fenced"] == bench.codes()
    bench.home.mkdir()
    assert rewound.read_mark(bench.home) is None
    bench.reign.tell(bench.board)
    assert rewound.read_mark(bench.home) == bench.reign.mark


def test_an_operator_lets_it_go_on(bench: Bench) -> None:
    """A higher epoch than either side has is asked for, and this side is to be opened anew."""
    bench.proven("beta", 9)
    assert bench.reign.mark is not None
    assert "epoch 10 is begun" in bench.reign.accept(bench.reign.mark).reason
    assert bench.reign.goes_on
