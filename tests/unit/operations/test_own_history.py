"""History that lies on several nodes: what is put together, and what a silent node takes away."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core.errors import NotFound, Unreachable
from agent.operations.elsewhere.own_history import gathered_answer
from agent.operations.generations import GenerationsListRequest, GenerationsShowRequest

LIST, SHOW = GenerationsListRequest("web"), GenerationsShowRequest("web", "one")


def silent(node: str) -> Any:
    """A node that does not answer."""
    raise Unreachable("reach the peer", node, "nothing listens there")


def nothing() -> Any:
    """What is asked for is not here."""
    raise NotFound("find the generation", "one", "there is none")


def test_lists_are_gathered_answer_and_a_silent_node_takes_nothing_away() -> None:
    """What is here is wanted most where the other node is gone."""
    assert ["here", "alpha"] == gathered_answer(LIST, ("alpha",), lambda: ["here"], lambda node: [node])
    assert ["here"] == gathered_answer(LIST, ("alpha",), lambda: ["here"], silent)


def test_what_is_not_here_is_asked_of_the_next() -> None:
    """What is here is not asked for elsewhere; what is nowhere is told as it was told here."""
    assert "here" == gathered_answer(SHOW, ("alpha",), lambda: "here", silent)
    assert "alpha" == gathered_answer(SHOW, ("alpha",), nothing, lambda node: node)
    with pytest.raises(NotFound):
        gathered_answer(SHOW, ("alpha",), nothing, silent)
