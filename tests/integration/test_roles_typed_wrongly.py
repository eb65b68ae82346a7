"""Role commands typed on the wrong node, of what is not there, without an agent: refused at once, with where and what to type."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from fakes.agents import Pair, pair

HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
#: What is typed on which node, the exit code, and words of the sentence.
WRONG = [
    ("alpha", "promote web --yes", 3, "on beta: hikae promote web"),
    ("alpha", "rejoin web --yes", 3, "this node is the primary of web, and its standbys follow it"),
    ("alpha", "rehearse web", 3, "on beta: hikae rehearse web"),
    ("alpha", "switchover web --to alpha --yes", 3, "alpha is its primary already"),
    ("alpha", "switchover web --to nobody --yes", 4, "these keep a standby of web: beta"),
    ("alpha", "switchover web --cancel", 4, "none is planned"),
    ("alpha", "serve web", 2, "hikae serve web --alone"),
    ("alpha", "fence web", 3, "add --yes if it is meant"),
    ("beta", "promote web --yes", 3, "while it lives: hikae switchover web"),
    ("beta", "rejoin web --yes", 3, "this node is a standby of alpha already"),
    ("beta", "fence web --yes", 3, "on alpha, its primary: hikae fence web"),
    ("beta", "serve web --alone --yes", 3, "where alpha is dead: hikae promote web"),
    ("beta", "rehearse web", 3, "no probe is configured"),
    ("beta", "promote web --at nomark --force --yes", 4, "no mark in the history of web has that label"),
    ("beta", "promote web --at 2031-01-01 --force --yes", 3, "it is in the future"),
    ("beta", "promote web --generation zzz --force --yes", 4, "it has no generation yet"),
    *(
        ("beta", f"{command} --yes", code, words)
        for command in ("promote", "switchover", "rejoin", "fence")
        for command, code, words in (
            (f"{command} wbe", 4, "this node has: web"),
            (f"{command} --group nix", 4, "cannot find the group (nix)"),
            (command, 2, "one of DATASET, --group G and --all is needed"),
        )
    ),
    ("beta", "roles wbe", 4, "this node has: web"),
]


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    """A pair that nothing is changed of."""
    with pair(HOOKS) as agents:
        agents.begin()
        yield agents


@pytest.mark.parametrize(("node", "typed", "code", "words"), WRONG)
def test_refused_with_what_to_type(both: Pair, node: str, typed: str, code: int, words: str) -> None:
    """The code, one sentence, no traceback; and both nodes are what they were."""
    begun = time.monotonic()
    done = both[node].run(*typed.split())
    assert code == done.returncode, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    # Nobody is waited for who will not come (20 s), however loaded the machine is.
    assert time.monotonic() - begun < 18
    assert ("primary", "standby") == (both.alpha.look()["role"], both.beta.look()["role"])


@pytest.mark.parametrize("command", ["promote", "switchover", "rejoin", "rehearse", "fence", "roles"])
def test_without_an_agent(command: str) -> None:
    """Nobody is there to do it: said, with where to look."""
    with pair(HOOKS) as agents:
        yes = () if command in ("rehearse", "roles") else ("--yes",)
        done = agents.alpha.run(command, "web", *yes)
        assert (69, True) == (done.returncode, "no agent is running; systemctl status hikae" in done.stderr)
