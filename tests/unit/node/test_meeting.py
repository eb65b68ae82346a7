"""What is said when two nodes meet that are not alike."""

from __future__ import annotations

import dataclasses

import pytest

from agent import __version__
from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset
from agent.core.ids import NO_EPOCH, NOTHING
from agent.core.problem import ProblemBoard
from agent.node import meeting
from agent.stream.messages import VERSION, Hello, Refuse, Welcome
from agent.stream.versions import SPOKEN


def dataset(**more: object) -> Dataset:
    """As beta has it."""
    entry = DatasetEntry("web", "/srv/web", "alpha", ("beta", "gamma"))
    return resolve_dataset(dataclasses.replace(entry, **more), "beta")  # type: ignore[arg-type]  # fields of an entry


def hello(**more: object) -> Hello:
    """What alpha begins with."""
    plain = Hello("alpha", "web", SPOKEN, NO_EPOCH, NOTHING, b"n" * 32)
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]  # fields of a hello


def codes(board: ProblemBoard) -> list[str]:
    """The codes on a board."""
    return [problem.code for problem in board.listed()[0]]


def test_peers_that_differ_are_named() -> None:
    """Those whose digest is another one; a release that does not tell is not blamed."""
    theirs = {"gamma": b"other", "beta": b"same", "delta": b"", "alpha": b"another"}
    assert ("alpha", "gamma") == meeting.peers_that_differ(b"same", theirs)


def test_a_difference_is_told_and_taken_back() -> None:
    """A warning with the dataset, the peer and what to do; it clears when all are the same again."""
    board, ours = ProblemBoard(), dataset()
    meeting.tell_configs(board, ours, {"gamma": b"x" * 32}, 7)
    (problem,), _ = board.listed()
    assert ("config-differs", "warning", 7) == (problem.code, problem.severity.value, problem.since)
    assert "web is configured otherwise on gamma" in problem.message
    assert "hikae config show" in problem.remedy
    meeting.tell_configs(board, ours, {"gamma": ours.digest}, 8)
    assert [] == codes(board)


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"exclude": ("**/*.tmp",)}, True),
        ({"path": "/srv/other"}, True),
        ({"standby": ("gamma", "beta")}, True),
        ({"start_without_peer": "serve"}, True),
        ({"vault": "/backup"}, False),
        ({"vault_limit": 1}, False),
        ({"history": 60}, False),
        ({"adopt": True}, False),
        ({"reconcile": "none"}, False),
        ({"watch": "polling"}, False),
    ],
)
def test_what_is_each_nodes_own_makes_no_difference(changed: dict[str, object], differs: bool) -> None:
    """The remedy's list of what may differ is true."""
    assert (("alpha",) if differs else ()) == meeting.peers_that_differ(
        dataset().digest, {"alpha": dataset(**changed).digest}
    )


@pytest.mark.parametrize(
    ("kind", "code"), [("", None), ("tree", None), ("device", "kind-differs"), ("\x1b[2J", "kind-differs")]
)
def test_another_kind_is_refused(kind: str, code: str | None) -> None:
    """A device cannot be kept as a tree; a release that does not tell is let in."""
    refuse = meeting.why_unfit("beta", dataset(), hello(kind=kind))
    assert code == (refuse.code if refuse else None)


def test_a_refused_version_is_told_on_the_secondary_too() -> None:
    """Until a call of that primary is welcomed; other refusals are not this problem."""
    board = ProblemBoard()
    meeting.tell_version(board, Refuse("version", "too new", "upgrade beta"), 1)
    assert ["version"] == codes(board)
    meeting.tell_version(board, Welcome("beta", NO_EPOCH, NOTHING, b"", NOTHING, 1, VERSION), 2)
    meeting.tell_version(board, Refuse("stale-epoch", "", ""), 3)
    assert [] == codes(board)


def test_an_answer_introduces_this_node() -> None:
    """A welcome carries release and configuration; a refusal stays as it is."""
    ours = dataset()
    refuse = Refuse("busy", "", "")
    welcome, second = meeting.introduced((Welcome("beta", NO_EPOCH, NOTHING, b"", NOTHING, 1, VERSION), refuse), ours)
    assert isinstance(welcome, Welcome)
    assert (__version__, ours.digest, refuse) == (welcome.program, welcome.config_digest, second)


@pytest.mark.parametrize(
    ("recorded", "later", "reason", "words"),
    [
        (False, 1, "gamma is", "make the configuration of both nodes the same"),
        (True, 0, "gamma is", "if alpha is to be the primary, promote it"),
        (True, 1, "gamma is, in epoch {}", "on alpha: hikae fence web"),
    ],
)
def test_who_is_not_the_primary_is_told_what_leads_out(recorded: bool, later: int, reason: str, words: str) -> None:
    """While files alone decide, they are to be the same; once the role is recorded, it is an operator's to change; whose time is
    over, and who has not met the one after it, is told how to stop."""
    caller = hello()
    known = caller.epoch.number + later
    refuse = meeting.not_primary("beta", "gamma", caller, recorded=recorded, known=known)
    expected = f"alpha is not the primary of web here: {reason.format(known)}"
    assert ("not-primary", expected) == (refuse.code, refuse.reason)
    assert words in refuse.remedy


def test_a_new_primary_that_lacks_something_is_told_what_leads_out() -> None:
    """On both nodes."""
    board = ProblemBoard()
    meeting.tell_ahead(board, dataset(), hello(), 1)
    assert (["ahead-of-primary"], "hikae rejoin web") == (codes(board), meeting.is_ahead("beta", hello()).remedy[9:25])
