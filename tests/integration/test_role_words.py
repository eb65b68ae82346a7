"""``[dataset.promote] require``: nothing is given up by force before somebody has said why, and who allowed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.agents import UNBRAKED, Pair, pair

ASKED = """[dataset.hooks]
start = "none"
stop = "none"
[dataset.promote]
require = ["reason", "approved-by"]
"""
WORDS = ("--reason", "alpha burns", "--approved-by", "eve")


@pytest.fixture
def both() -> Iterator[Pair]:
    """Two agents that replicate a file."""
    with pair(UNBRAKED + ASKED) as one:
        (one.source / "a").write_text("a")
        one.begin()
        yield one


def _asks(both: Pair, node: str, typed: str, told: str) -> None:
    done = both[node].run(*typed.split(), "--yes")
    assert (2, True) == (done.returncode, f"hikae {told} --reason TEXT --approved-by TEXT" in done.stderr), done.stderr


def test_they_are_asked_for_where_something_may_be_lost(both: Pair) -> None:
    """Of a promotion past a primary that lives, and by force; where nothing can be lost nobody is asked."""
    _asks(both, "beta", "promote web --force", "promote web")
    _asks(both, "alpha", "switchover web --force", "switchover web --force")
    _asks(both, "alpha", "switchover web --force --when 23:59", "switchover web --force")
    assert ("primary", "standby") == (both.alpha.look()["role"], both.beta.look()["role"])
    both.beta.json("promote", "web", "--force", "--yes", *WORDS)
    both.alpha.told("fenced")
    _asks(both, "alpha", "rejoin web --force", "rejoin web --force")
    _asks(both, "alpha", "serve web --alone --force", "serve web --alone")
    accepted = both.alpha.run("accept", "web", "--yes")
    assert (2, True) == (accepted.returncode, "hikae serve web --alone --reason" in accepted.stderr), accepted.stderr
    assert "standby" == both.alpha.json("rejoin", "web", "--yes")["role"]
    assert ("alpha burns", "eve") == tuple(both.beta.json("roles", "web")[-1][key] for key in ("reason", "approved_by"))
