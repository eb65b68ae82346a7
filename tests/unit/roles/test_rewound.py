"""The mark of a primary whose state is an old copy: when it is set, what it says, and when it goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.core.ids import NOTHING, Epoch
from agent.core.problem_codes import REWOUND
from agent.roles import lineage, rewound
from agent.roles.rewound import Rewound, fenced_by_hand, highest_met, mark_after, proven_mark
from agent.stream.footing import LineageBroken
from fakes.store_fakes import begun, number

MARK = Rewound("beta", 1, number(12), number(7), 1_700_000_000_000_000_000, "ab" * 32)


def test_the_mark_of_a_failure() -> None:
    """An epoch of this very node rewinds it, one of the peer's own fences it."""
    for owner, fenced in (("alpha", False), ("beta", True)):
        failure = LineageBroken("beta", Epoch(3, owner, b"t" * 16), number(12), b"d" * 32, False, "alpha")
        mark = Rewound("beta", 3, number(12), number(7), 5, "64" * 32, fenced, owner=owner, token="74" * 16)
        assert mark == proven_mark(failure, number(7), 5)


OWN, THIRD, FOURTH = (
    Epoch(at, owner, owner[:1].encode() * 16) for at, owner in ((2, "alpha"), (3, "beta"), (4, "gamma"))
)


def _proven(epoch: Epoch) -> LineageBroken:
    return LineageBroken(epoch.owner, epoch, NOTHING, b"", False, "alpha")


def test_who_is_fenced_says_by_whom_to_others(tmp_path: Path) -> None:
    """The highest epoch that it has met, also after a restart: who comes back and reigned before that must not go on."""
    assert OWN == highest_met(OWN, None)
    mark = mark_after(None, _proven(THIRD), number(7), 5)
    assert THIRD == highest_met(OWN, mark)
    mark = mark_after(mark, _proven(FOURTH), number(9), 6)
    rewound.write_mark(tmp_path, mark)
    assert (mark, FOURTH) == (rewound.read_mark(tmp_path), highest_met(OWN, mark))
    assert mark == mark_after(mark, _proven(THIRD), number(9), 7)


def test_a_mark_of_a_release_before_names_no_owner(tmp_path: Path) -> None:
    """It is a mark all the same, and of what it does not hold nothing is said."""
    rewound.write_mark(tmp_path, mark_after(None, _proven(THIRD), number(7), 5))
    found = json.loads((tmp_path / rewound.MARK).read_text())
    for token in (None, "74"):
        told = {key: value for key, value in found.items() if key not in ("owner", "token")}
        (tmp_path / rewound.MARK).write_text(json.dumps(told if token is None else {**told, "token": token}))
        mark = rewound.read_mark(tmp_path)
        assert mark is not None
        assert ("beta", 3, OWN) == (mark.peer, mark.highest, highest_met(OWN, mark))


def test_a_proof_counts_for_more_than_a_fence_by_hand() -> None:
    """Then a peer is ahead, and what leads out of it is another thing to type."""
    mark = mark_after(fenced_by_hand("alpha", 2, number(7), 4), _proven(THIRD), number(7), 5)
    assert (False, "beta", 5) == (mark.by_hand, mark.peer, mark.since)


def test_the_mark_lasts(tmp_path: Path) -> None:
    """None at first; what was written is read."""
    assert None is rewound.read_mark(tmp_path)
    rewound.write_mark(tmp_path, MARK)
    assert MARK == rewound.read_mark(tmp_path)
    rewound.forget_mark(tmp_path)
    rewound.forget_mark(tmp_path)
    assert None is rewound.read_mark(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"peer": "beta", "epoch": "x"}', "\0\0"])
def test_a_mark_that_cannot_be_read_is_one(tmp_path: Path, text: str) -> None:
    """Whoever damaged it did not make the state any newer."""
    (tmp_path / rewound.MARK).write_text(text)
    mark = rewound.read_mark(tmp_path)
    assert mark is not None
    assert "old copy" in mark.problem("web", tmp_path).message


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (MARK, "beta is ahead: it holds commit 1.12 of this node's own epoch, the newest here was 1.7"),
        (Rewound("beta", 1, number(5), number(7), 0), "beta holds another commit 1.5"),
        (Rewound("beta", 3, NOTHING, number(7), 0), "beta has met epoch 3 of this node, whose newest commit is 1.7"),
    ],
)
def test_the_sentence_says_who_and_by_what(mark: Rewound, words: str) -> None:
    """And the remedy has both ways out."""
    problem = mark.problem("web", Path("/state/web"))
    assert words in problem.message
    assert all(way in problem.remedy for way in ("newest copy of /state/web", "hikae accept web"))
    assert (REWOUND, mark.since) == (problem.code, problem.since)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (MARK, "5 commits that only beta has, up to 1.12: "),
        (Rewound("beta", 1, number(5), number(7), 0), "the commits that only beta has, up to 1.5: "),
        (Rewound("beta", 3, NOTHING, number(7), 0), "the commits that only beta has: "),
        (
            Rewound("beta", 2, number(4, 2), number(7), 0, fenced=True),
            "4 commits of beta's own epoch 2, and all after them: ",
        ),
        (Rewound("beta", 2, NOTHING, number(7), 0, fenced=True), "the commits that only beta has: "),
    ],
)
def test_what_is_given_up_is_counted(mark: Rewound, words: str) -> None:
    """As far as the peer proved it."""
    assert mark.gives_up.startswith(words)
    assert "undone in the tree of beta" in mark.gives_up


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_the_newest_copy_takes_the_mark_away(tmp_path: Path, kept: int) -> None:
    """Only a catalog that holds the peer's very commit does: not one that ends before it, nor one with another of that number."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        newest = catalog.newest()
        assert newest is not None
        digest = (newest.digest if kept == 2 else b"x" * 32).hex()
        mark = Rewound("beta", 1, number(2 if kept == 0 else 1), number(1), 5, digest)
        rewound.write_mark(tmp_path, mark)
        assert (None if kept == 2 else mark) == rewound.read_and_settle(tmp_path, catalog)
        assert (kept != 2) == (tmp_path / rewound.MARK).exists()


def test_a_fenced_node_is_told_so() -> None:
    """With the way to where writes go now, and the way back."""
    problem = Rewound("beta", 4, NOTHING, number(7), 0, fenced=True).problem("web", Path("/state/web"))
    assert ("fenced", True) == (problem.code, "beta was made the primary, in epoch 4" in problem.message)
    assert all(way in problem.remedy for way in ("hikae rejoin web", "hikae serve web --alone"))


def test_a_higher_epoch_takes_the_mark_away(tmp_path: Path) -> None:
    """Starting over, as accept asks for."""
    rewound.write_mark(tmp_path, MARK)
    lineage.ask_for_epoch(tmp_path, 4, anew=True)
    catalog, local = lineage.open_stores(tmp_path, "alpha", 5)
    assert (5, None) == (catalog.lineage[-1].number, rewound.read_mark(tmp_path))
    catalog.close()
    local.close()
