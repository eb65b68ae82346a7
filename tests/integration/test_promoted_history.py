"""The history of a node that was promoted: it is its own, and the dead peer is not asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fakes.agents import NO_SCHEDULE, Agent, Pair, pair
from fakes.eventually import eventually

NOTHING_TO_DO = 'history = "1h"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'


@pytest.fixture
def both() -> Iterator[Pair]:
    """A pair with a generation and a mark of an earlier state."""
    with pair(NOTHING_TO_DO) as agents:
        (agents.source / "a").write_text("first")
        agents.begin()
        agents.alpha.json("mark", "web", "early")
        agents.beta.json("generations", "take", "web", "--label", "one")
        written_over(agents.source / "a", "second")
        agents.alpha.wait("applied")
        yield agents


def written_over(path: Path, words: str) -> None:
    """Other words that are no shorter, in one step: a file that is emptied first might be seen so."""
    with path.open("r+") as file:
        file.write(words)


def lists_one(node: Agent) -> bool:
    """Whether the generation is in what the node lists."""
    return "one" in [row["label"] for row in node.json("generations", "list", "web")]


def restored(both: Pair, *moment: str) -> str:
    """What stands in the file at that moment, as beta restores it from its own vault."""
    place = both.base / "-".join(moment).replace("-", "").replace(":", "")
    done = both.beta.run("restore", "web", *moment, "--to", str(place))
    assert done.returncode == 0, done.stderr
    return Path(place, "a").read_text()


def test_a_dead_peer_takes_no_history_away(both: Pair) -> None:
    """list, show, diff, find, pin, expire and restore go by the promoted node's own history; what it wrote since is said to be
    kept by nobody, and is not offered."""
    alpha, beta = both.alpha, both.beta
    alpha.kill()
    beta.json("promote", "web", "--yes", "--force")
    written_over(both.target / "a", "the third")
    (both.target / "b").write_text("new")
    beta.json("mark", "web", "late")
    listed = beta.json("generations", "list", "web")
    assert (["one", ""], {"beta"}) == ([row["label"] for row in listed], {row["node"] for row in listed})
    assert "alpha does not answer" in beta.run("generations", "list", "web").stderr
    assert "one" == beta.json("generations", "show", "web", "one")["label"]
    found = beta.json("generations", "diff", "web", "one")
    assert (1, 1) == (found["added"], found["changed"])
    [row] = beta.json("find", "web", "a")
    assert [True, True, False] == sorted((bool(one["command"]) for one in row["history"]), reverse=True)
    assert ("first", "first") == (restored(both, "--generation", "one"), restored(both, "--at", "early"))
    assert beta.json("generations", "pin", "web", "one")["pinned"]
    # Nobody keeps what is written now, and a moment of it is not half restored.
    done = beta.run("restore", "web", "--at", "late", "--to", str(both.base / "late"))
    assert (4, True, False) == (done.returncode, "--from alpha" in done.stderr, (both.base / "late").exists())
    history = beta.look()["history"]
    assert ("beta", True) == (history["node"], history["reaches"] <= history["until"])
    done = beta.run("rollback", "web", "--generation", "one", "--yes")
    assert (69, True) == (done.returncode, "hikae restore web --generation" in done.stderr)


def test_rules_and_pins_hold_on_a_promoted_node(both: Pair) -> None:
    """expire lets go of what no rule keeps, whoever is the primary, and a pinned one stays."""
    alpha, beta = both.alpha, both.beta
    beta.json("generations", "pin", "web", "one")
    beta.json("generations", "take", "web", "--label", "two")
    alpha.kill()
    beta.json("promote", "web", "--yes", "--force")
    keep = "generations.keep = { labels = ['none-*'] }\n"
    beta.config.write_text(beta.config.read_text().replace(NO_SCHEDULE, NO_SCHEDULE + keep))
    beta.json("reload")
    verdict = beta.json("generations", "expire", "web", "--yes")
    assert ["two"] == [one["label"] for one in verdict["goes"]]
    # What stood before the promotion is kept for a week.
    assert ["one", ""] == [row["label"] for row in beta.json("generations", "list", "web")]


def test_after_a_switchover_both_nodes_know_where_history_is(both: Pair) -> None:
    """The new primary keeps every moment from before, although its peer has all that is new; the list is one on both nodes, and
    what the new standby has not is read from the other."""
    alpha, beta = both.alpha, both.beta
    alpha.json("switchover", "web", "--yes")
    (both.target / "a").write_text("third")
    beta.wait("applied")
    for node in (alpha, beta):
        eventually(partial(lists_one, node))
    assert "one" == alpha.json("generations", "show", "web", "one")["label"]
    assert "first" == restored(both, "--at", "early")
    done = alpha.run("restore", "web", "--generation", "one", "--from", "beta", "--to", str(both.base / "afar"))
    assert (0, "first") == (done.returncode, (both.base / "afar/a").read_text()), done.stderr
    beta.json("switchover", "web", "--yes")
    assert "first" == restored(both, "--generation", "one")
