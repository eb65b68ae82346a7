"""A place that was handed over is told until the node that was given it calls as the primary."""

from __future__ import annotations

from agent.node.switching.handed_over import unheard
from agent.roles.record import HandedOver


def test_what_is_told_names_both_ways_out() -> None:
    """Nothing is claimed of a node that is not heard; it is asked again, or this one goes on."""
    problem = unheard("web", HandedOver("beta", 4, 0), 7)
    assert "unless beta serves it, nobody does" in problem.message
    assert ("handed-over", True, True) == (
        problem.code,
        "hikae switchover web" in problem.remedy,
        "hikae promote web --force" in problem.remedy,
    )
