"""The monitoring plug-in."""

from __future__ import annotations

import pytest

from agent.core.problem import Severity
from agent.status.check import check_line, unknown_line
from agent.status.facts import NodeFacts
from agent.status.published import status_json
from fakes.api_fakes import a_dataset, a_node, a_peer, a_problem


@pytest.mark.parametrize(
    ("facts", "code", "begin"),
    [
        (a_node(a_dataset(), a_dataset("db")), 0, "HIKAE OK - 2 datasets: db, web | db_lag=0.021s web_lag=0.021s"),
        (a_node(a_dataset(), a_dataset("db", redo=True)), 1, "HIKAE WARNING - db redo ("),
        (a_node(a_dataset(hold="gone")), 2, "HIKAE CRITICAL - web held (gone: hikae accept web, if that is meant) |"),
        (a_node(a_dataset(peers=(a_peer(connected=False),))), 2, "HIKAE CRITICAL - web disconnected ("),
        (a_node(a_dataset(problems=(a_problem(severity=Severity.ERROR),))), 2, "HIKAE CRITICAL - web degraded ("),
        (a_node(a_dataset(), problems=(a_problem(),)), 1, "HIKAE WARNING - unreadable message: unreadable remedy |"),
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
