"""Whether a primary serves, with real agents: who confirms it, what stops it, and what leads out of each state."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Agent, Pair, free_port, pair
from fakes.eventually import eventually
from fakes.roles import make_primary, reign


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Pair]:
    """Two agents that replicate a file, whose hooks write down that they ran."""
    log = tmp_path / "hooks.log"
    start = f'["sh", "-c", "echo start $HIKAE_NODE $HIKAE_EPOCH >> {log}"]'
    on_fenced = f'["sh", "-c", "echo on_fenced $HIKAE_NODE $HIKAE_ROLE >> {log}"]'
    with pair(f"{UNBRAKED}\n[dataset.hooks]\nstart = {start}\non_fenced = {on_fenced}\n") as one:
        (one.source / "file").write_text("of alpha")
        one.begin()
        yield one


def ran(tmp_path: Path) -> list[str]:
    """What the hooks wrote down."""
    log = tmp_path / "hooks.log"
    return log.read_text().splitlines() if log.exists() else []


def states(both: Pair) -> tuple[str, str]:
    """How alpha and beta say that the dataset is."""
    return str(both.alpha.look()["state"]), str(both.beta.look()["state"])


def test_a_primary_serves_once_its_peer_has_confirmed_it(both: Pair, tmp_path: Path) -> None:
    """Started while the peer is away it waits, and captures; the start hook runs when the peer is there."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.beta.kill(signal.SIGTERM)
    both.alpha.restart()
    eventually(lambda: "unconfirmed" == both.alpha.look()["state"])
    entries = both.alpha.look()["commit"]["entries"]
    (both.source / "meanwhile").touch()
    eventually(lambda: entries + 1 == both.alpha.look()["commit"]["entries"])
    assert ["start alpha 1"] == ran(tmp_path)
    both.beta.start()
    eventually(lambda: ["start alpha 1"] * 2 == ran(tmp_path))
    eventually(lambda: "streaming" == both.alpha.look()["state"])


def test_an_operator_lets_it_serve_alone(both: Pair, tmp_path: Path) -> None:
    """The plan says who is silent; the word holds for this run of the agent."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.beta.kill()
    both.alpha.restart()
    eventually(lambda: "unconfirmed" == both.alpha.look()["state"])
    assert 2 == both.alpha.run("serve", "web").returncode
    assert 3 == both.alpha.run("serve", "web", "--alone").returncode
    plan = both.alpha.json("serve", "web", "--alone", "--dry-run")
    assert ("unconfirmed", ["beta"]) == (plan["was"], plan["silent"])
    both.alpha.json("serve", "web", "--alone", "--yes", "--reason", "beta burns")
    eventually(lambda: ["start alpha 1"] * 2 == ran(tmp_path))
    assert "disconnected" == both.alpha.look()["state"]
    both.alpha.restart()
    eventually(lambda: "unconfirmed" == both.alpha.look()["state"])


def test_an_operator_fences_it_and_lets_it_go_on(both: Pair, tmp_path: Path) -> None:
    """Over a restart too; the way back begins no new epoch, since nobody else reigned."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    assert "serving" == both.alpha.json("fence", "web", "--dry-run")["was"]
    both.alpha.json("fence", "web", "--yes", "--reason", "beta burns")
    eventually(lambda: ["start alpha 1", "on_fenced alpha fenced"] == ran(tmp_path))
    both.alpha.restart()
    both.alpha.up()
    eventually(lambda: ("fenced", "fenced") == (both.alpha.look()["role"], both.alpha.look()["state"]))
    assert "hikae serve web --alone" in both.alpha.told("fenced")["remedy"]
    both.alpha.json("serve", "web", "--alone", "--yes")
    eventually(lambda: ["start alpha 1", "on_fenced alpha fenced", "start alpha 1"] == ran(tmp_path))
    both.mirror()
    assert 1 == both.alpha.look()["epoch"]
    made = both.alpha.json("roles", "web")
    assert [("began", "", "primary", 1), ("fence", "serving", "fenced", 1), ("serve", "fenced", "primary", 1)] == [
        (one["kind"], one["from"], one["to"], one["epoch"]) for one in made
    ]
    assert (os.geteuid(), "beta burns") == (made[1]["uid"], made[1]["reason"])
    assert "reason: beta burns" in both.alpha.run("roles", "web").stdout


def test_a_standby_is_neither_fenced_nor_let_serve(both: Pair) -> None:
    """It says where to type it; a group of none is not found."""
    for words, leads in (
        (("fence", "web", "--yes"), "on alpha, its primary: hikae fence web"),
        (("serve", "web", "--alone", "--yes"), "where alpha is dead: hikae promote web"),
    ):
        refused = both.beta.run(*words)
        assert (3, True) == (refused.returncode, leads in refused.stderr)
    assert (2, 4) == (
        both.alpha.run("fence", "--yes").returncode,
        both.alpha.run("fence", "--group", "none", "--yes").returncode,
    )
    both.mirror()


def test_an_empty_directory_does_not_serve_by_configuration(tmp_path: Path) -> None:
    """Nor with start_without_peer = "serve", until somebody has confirmed it once; then it does without its peer."""
    with pair(f'start_without_peer = "serve"\n{UNBRAKED}') as both:
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: "unconfirmed" == both.alpha.look()["state"])
        both.beta.start()
        eventually(lambda: "streaming" == both.alpha.look()["state"])
        both.beta.kill()
        both.alpha.restart()
        eventually(lambda: "disconnected" == both.alpha.look()["state"])


def test_a_primary_that_was_down_during_two_promotions(both: Pair, tmp_path: Path) -> None:
    """It is fenced before it serves, its application is stopped, and what it had stays until a person decides."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.alpha.kill()
    both.beta.kill()
    make_primary(both.home(both.beta), reign(7, "beta"))
    both.beta.start()
    both.beta.json("serve", "web", "--alone", "--yes")
    eventually(lambda: "start beta 7" in ran(tmp_path))
    both.alpha.start()
    eventually(lambda: "on_fenced alpha fenced" in ran(tmp_path))
    assert ["start alpha 1"] == [one for one in ran(tmp_path) if one.startswith("start alpha")]
    assert "hikae rejoin web" in both.alpha.told("fenced")["remedy"]
    refused = both.alpha.run("serve", "web", "--alone", "--yes")
    assert (3, True) == (refused.returncode, "beta answers: it is the primary" in refused.stderr)


def cloned(both: Pair) -> Agent:
    """A second machine with alpha's name, certificate, state and tree, and an address of its own."""
    base = both.base / "clone"
    base.mkdir()
    clone = Agent(base, "alpha", free_port(), base / "alpha")
    shutil.copytree(both.alpha.state, clone.state)
    shutil.copytree(both.source, base / "source")
    places = {
        str(both.source): str(base / "source"),
        f'state_dir = "{both.alpha.state}"': f'state_dir = "{clone.state}"',
        str(both.alpha.socket): str(clone.socket),
        f"127.0.0.1:{both.alpha.port}": f"127.0.0.1:{clone.port}",
    }
    text = both.alpha.config.read_text()
    for old, new in places.items():
        text = text.replace(old, new)
    clone.config.write_text(text)
    return clone


def test_of_a_node_and_its_clone_one_is_stopped(both: Pair, tmp_path: Path) -> None:
    """As soon as the standby has what only one of them wrote, the other is rewound, with the ways out; the standby equals one."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.alpha.kill(signal.SIGTERM)
    clone = cloned(both)
    both.alpha.start()
    clone.start()
    try:
        eventually(lambda: both.alpha.seen() and clone.seen())
        (both.source / "of the first").touch()
        (both.base / "clone" / "source" / "of the second").touch()
        eventually(lambda: "rewound" in {both.alpha.look().get("state"), clone.look().get("state")})
        stopped = both.alpha if both.alpha.look()["state"] == "rewound" else clone
        assert "hikae accept web" in stopped.told("rewound")["remedy"]
        eventually(lambda: "on_fenced alpha fenced" in ran(tmp_path))
        assert ["on_fenced alpha fenced"] == [one for one in ran(tmp_path) if one.startswith("on_fenced")]
    finally:
        clone.kill()


def test_a_state_of_an_old_image_serves_nothing(both: Pair, tmp_path: Path) -> None:
    """The peer has commits of this node that it does not know: its application is stopped, and no start hook runs."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.alpha.kill(signal.SIGTERM)
    shutil.copytree(both.alpha.state, both.base / "old")
    both.alpha.start()
    for number in range(3):
        (both.source / "newer").write_text(str(number))
        both.mirror()
    eventually(lambda: ["start alpha 1"] * 2 == ran(tmp_path))
    both.alpha.kill(signal.SIGTERM)
    shutil.rmtree(both.alpha.state)
    (both.base / "old").rename(both.alpha.state)
    both.alpha.start()
    assert "hikae accept web" in both.alpha.told("rewound")["remedy"]
    eventually(lambda: ["start alpha 1", "start alpha 1", "on_fenced alpha fenced"] == ran(tmp_path))
    refused = both.alpha.run("serve", "web", "--alone", "--yes")
    assert (3, True) == (refused.returncode, "hikae accept web" in refused.stderr)


def test_a_state_directory_that_is_empty_ends_rewound(both: Pair, tmp_path: Path) -> None:
    """Its peer knows a reign of this very node that is not known here: nothing serves, and both ways out are named."""
    eventually(lambda: ["start alpha 1"] == ran(tmp_path))
    both.alpha.kill()
    shutil.rmtree(both.home(both.alpha))
    both.alpha.start()
    problem = both.alpha.told("rewound")
    assert "hikae accept web" in problem["remedy"]
    eventually(lambda: "on_fenced alpha fenced" in ran(tmp_path))
    assert ["start alpha 1"] == [one for one in ran(tmp_path) if one.startswith("start")]
