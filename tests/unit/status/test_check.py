"""The monitoring plug-in."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.problem import Severity
from agent.core.standing import Pause, PeerStanding, Standing
from agent.status.check import check_line, unknown_line
from agent.status.facts import NodeFacts
from agent.status.published import status_json
from fakes.api_fakes import a_dataset, a_node, a_peer, a_problem


def said(state: str, **more: Any) -> NodeFacts:
    """A node whose peer says so of itself."""
    return a_node(a_dataset(peers=(a_peer(told=PeerStanding(Standing(state, **more), 1)),)))


@pytest.mark.parametrize(
    ("facts", "code", "begin"),
    [
        (a_node(a_dataset(), a_dataset("db")), 0, "HIKAE OK - 2 datasets: db, web | db_lag=0.021s web_lag=0.021s"),
        (a_node(a_dataset(), a_dataset("db", redo=True)), 1, "HIKAE WARNING - db redo ("),
        (
            a_node(a_dataset(hold=Hold("held", "gone"))),
            2,
            "HIKAE CRITICAL - web held (gone: hikae accept web, if that is meant) |",
        ),
        (a_node(a_dataset(peers=(a_peer(connected=False),))), 2, "HIKAE CRITICAL - web disconnected ("),
        (a_node(a_dataset(problems=(a_problem(severity=Severity.ERROR),))), 2, "HIKAE CRITICAL - web degraded ("),
        (a_node(a_dataset(), problems=(a_problem(),)), 1, "HIKAE WARNING - unreadable message: unreadable remedy |"),
        (
            said("held", hold=Hold("c", "gone", "accept")),
            2,
            "HIKAE CRITICAL - web held (beta is held: gone; on beta: accept) |",
        ),
        (said("degraded", errors=1), 2, "HIKAE CRITICAL - web degraded (beta says: it has problems) |"),
        (said("degraded", warnings=1), 1, "HIKAE WARNING - web degraded (beta says: it has problems) |"),
        (
            said("paused", pauses=(Pause("apply", None),)),
            1,
            "HIKAE WARNING - web paused (apply on beta: on beta: hikae",
        ),
        (said("streaming"), 0, "HIKAE OK - 1 dataset: web |"),
        (a_node(), 3, "HIKAE UNKNOWN - no datasets are configured"),
    ],
)
def test_code_and_line(facts: NodeFacts, code: int, begin: str) -> None:
    """The worst dataset or problem decides the code, and the line names it."""
    line, found = check_line(status_json(facts))
    assert (code, begin) == (found, line[: len(begin)])
    assert "\n" not in line


def test_unknown() -> None:
    """An agent that does not answer is UNKNOWN, in one line."""
    assert ("HIKAE UNKNOWN - no\\nagent", 3) == unknown_line("no\nagent")


def test_nobody_else_gives_figures() -> None:
    """Monitoring systems read them behind the first bar: a file's name, or a peer's word, may hold one."""
    line = check_line(status_json(a_node(a_dataset(hold=Hold("held", "gone | web_lag=0s")))))[0]
    assert (1, "gone \\x7c web_lag=0s") == (line.count("|"), line[line.index("gone") :][: len("gone \\x7c web_lag=0s")])
    assert "|" not in unknown_line("a|b")[0]
