"""What an operator types on either of two real agents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.agents import Pair, pair


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    """Two agents that replicate."""
    with pair() as one:
        one.begin()
        yield one


@pytest.mark.parametrize("where", ["alpha", "beta"])
def test_what_looks_and_waits_is_typed_on_either_node(both: Pair, where: str) -> None:
    """It is done on the node that it concerns, and answers the same."""
    (both.source / f"written-before-{where}").write_text("x")
    node = both[where]
    assert {"wait": "applied", "verify": True, "reconcile": 0} == {
        "wait": node.json("wait", "web", "--applied")["level"],
        "verify": node.json("verify", "web", "--deep")["equal"],
        "reconcile": node.json("reconcile", "web")["found"],
    }


def test_what_changes_a_standby_is_typed_there(both: Pair) -> None:
    """Typed elsewhere, the command says where."""
    refused = both.alpha.run("verify", "web", "--repair")
    assert (3, True) == (refused.returncode, "on beta: hikae verify web" in refused.stderr)


def test_a_node_that_is_not_there_is_named() -> None:
    """With the way out."""
    with pair() as both:
        both.beta.start()
        both.beta.up()
        failed = both.beta.run("wait", "web")
    assert (69, True) == (failed.returncode, "or type it on alpha" in failed.stderr)
