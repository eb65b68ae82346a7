"""The status page as plain text."""

from __future__ import annotations

from typing import Any

from agent.status.facts import NodeFacts
from agent.status.page import status_page
from agent.status.published import status_json
from fakes.api_fakes import a_dataset, a_node


def lines(facts: NodeFacts, width: int = 80) -> list[str]:
    """The page as plain text."""
    return status_page(status_json(facts), width).plain.split("\n")


def below(**more: Any) -> list[str]:
    """What stands below the rows of one dataset."""
    facts = a_node(a_dataset(**more))
    return lines(facts)[2 + len(facts.datasets[0].peers) :]
