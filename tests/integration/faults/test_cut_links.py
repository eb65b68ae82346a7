"""Changes of role while links are cut: in one direction alone, or one of three. Never two that serve in one epoch, nothing lost
without being named, and a way out that works as it is typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Agent, Fleet
from fakes.eventually import eventually
from fakes.trees import differences, snapshot
from fakes.wires import Wires, wired

NO_HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
TWO, THREE = ("alpha", "beta"), ("alpha", "beta", "gamma")


@contextmanager
def _filled(*names: str, hooks: str = NO_HOOKS) -> Iterator[tuple[Fleet, Wires]]:
    with wired(*names, extra=UNBRAKED + hooks) as (made, wires):
        for number in range(10):
            (_path(made, "alpha") / f"f{number}").write_text(f"first {number}")
        made.begin()
        yield made, wires


def _path(made: Fleet, name: str) -> Path:
    return made.datasets["web"].paths[name]


def _tree(made: Fleet, name: str) -> dict[bytes, object]:
    found = snapshot(str(_path(made, name)))
    return {path: seen for path, seen in found.items() if not path.startswith(b".hikae") and path}


def _role(agent: Agent) -> tuple[str, int]:
    found = agent.look()
    return str(found.get("role")), int(found.get("epoch", 0))


def _has_rejoined(agent: Agent) -> bool:
    """Whether it took the command: it refuses until it has heard of the epoch that goes on."""
    return agent.run("rejoin", "web", "--yes").returncode == 0


def _is_refused(agent: Agent, why: str) -> bool:
    """Whether its promotion is for that reason; another is told where a node did not answer within the time that it has."""
    refused = agent.run("promote", "web", "--yes")
    assert 3 == refused.returncode, refused.stderr
    return why in refused.stderr


def _equal(made: Fleet, primary: str, *others: str) -> None:
    """What is written on the primary arrives on these."""
    (_path(made, primary) / f"at last on {primary}").write_text(primary)
    for other in others:
        eventually(lambda other=other: [] == differences(str(_path(made, primary)), str(_path(made, other))), 60)  # type: ignore[misc]


def _one_in_each_epoch(made: Fleet) -> None:
    reign = [_role(agent)[1] for agent in made.agents if agent.look().get("serving")]
    assert sorted(set(reign)) == sorted(reign)


@pytest.mark.parametrize("mute", TWO)
def test_a_promotion_by_force_while_one_is_not_heard(mute: str) -> None:
    """The old primary lives and writes on; healed it is fenced, what it alone wrote is named and kept, and both histories
    restore."""
    with _filled(*TWO) as (made, wires):
        alpha, beta = made.agents
        other = next(name for name in TWO if name != mute)
        wires.mute(mute, other)
        refused = beta.run("promote", "web", "--yes")
        assert (3, True) == (refused.returncode, "primary: alpha" in refused.stderr), refused.stderr
        beta.json("promote", "web", "--force", "--yes")
        (_path(made, "alpha") / "only alpha").write_text("written while nobody heard it")
        (_path(made, "alpha") / "f1").write_text("of alpha")
        (_path(made, "beta") / "only beta").write_text("of beta")
        (_path(made, "beta") / "f1").write_text("of beta")
        assert [("primary", 1), ("primary", 2)] == [_role(alpha), _role(beta)]
        stood = _tree(made, "alpha")
        wires.heal()
        alpha.told("fenced", "beta was made the primary, in epoch 2")
        _one_in_each_epoch(made)
        done = alpha.json("rejoin", "web", "--yes")
        assert ["f1", "only alpha"] == sorted(done["lost"])
        _equal(made, "beta", "alpha")
        assert "of beta" == (_path(made, "alpha") / "f1").read_text()
        eventually(lambda: alpha.look()["seeding"] is False)
        back = made.base / "back"
        given = alpha.run("restore", "web", "--generation", "divergence", "--to", str(back))
        assert (0, stood) == (given.returncode, {k: v for k, v in snapshot(str(back)).items() if k}), given.stderr


@pytest.mark.parametrize("mute", TWO)
def test_a_rejoin_while_one_is_not_heard(mute: str) -> None:
    """It says for whom it waits, and goes on by itself once the link is whole."""
    with _filled(*TWO) as (made, wires):
        alpha, beta = made.agents
        alpha.kill()
        (_path(made, "alpha") / "only alpha").write_text("never sent")
        beta.json("promote", "web", "--force", "--yes")
        (_path(made, "beta") / "only beta").write_text("of beta")
        alpha.start()
        alpha.up()
        alpha.told("fenced")
        # By its own call, maybe: a rejoin is refused until beta has called, which a dry one waits for.
        assert 0 == alpha.run("rejoin", "web", "--dry-run").returncode
        wires.mute(mute, next(name for name in TWO if name != mute))
        typed = alpha.typed("rejoin", "web", "--yes")
        eventually(lambda: (alpha.look().get("moving") or {}).get("step") == "follow")
        assert "standby" == _role(alpha)[0]
        wires.heal()
        said = typed.communicate(timeout=90)[0]
        assert 0 == typed.returncode, said
        _equal(made, "beta", "alpha")
        kept = alpha.json("generations", "list", "web")
        assert ["divergence"] == [one["label"] for one in kept if one["node"] == "alpha" and one["label"]]


WAITS = """[dataset.hooks]
start = "none"
stop = ["sh", "-c", "touch {0}/stopped; until test -e {0}/go; do sleep 0.1; done"]
"""


@pytest.mark.parametrize("mute", TWO)
def test_a_switchover_during_which_one_is_not_heard(mute: str) -> None:
    """Not heard from the stop hook on: the step it waits at is told on the node that hands over; healed, it ends, and none serve
    meanwhile but one."""
    with wired(*TWO, extra=UNBRAKED) as (made, wires):
        alpha, beta = made.agents
        for agent in made.agents:
            agent.config.write_text(agent.config.read_text() + WAITS.format(made.base))
        (_path(made, "alpha") / "a").write_text("a")
        made.begin()
        typed = alpha.typed("switchover", "web", "--yes")
        eventually((made.base / "stopped").exists)
        # First: what had arrived there would not be waited for.
        wires.mute(mute, next(name for name in TWO if name != mute))
        (_path(made, "alpha") / "last").write_text("written as the application ended")
        (made.base / "go").touch()
        eventually(lambda: (alpha.look().get("moving") or {}).get("step") in ("barrier", "compare"))
        assert [False, False] == [agent.look()["serving"] for agent in made.agents]
        wires.heal()
        said = typed.communicate(timeout=90)[0]
        assert 0 == typed.returncode, said
        eventually(lambda: beta.look().get("serving"))
        assert ("standby", "primary") == (_role(alpha)[0], _role(beta)[0])
        _equal(made, "beta", "alpha")
        assert "written as the application ended" == (_path(made, "beta") / "last").read_text()


@pytest.mark.parametrize("cut", list(combinations(THREE, 2)), ids="-".join)
def test_a_promotion_with_one_of_three_links_cut(cut: tuple[str, str]) -> None:
    """While anybody hears the primary it is refused, and says who; by force the others learn of it over the links that are
    whole."""
    with _filled(*THREE) as (made, wires):
        alpha, beta, gamma = made.agents
        wires.part(*cut)
        who = "gamma hears alpha" if cut == ("alpha", "beta") else "alpha answers"
        eventually(partial(_is_refused, beta, f"primary: {who}"))
        beta.json("promote", "web", "--force", "--yes")
        if cut != ("beta", "gamma"):
            eventually(lambda: _role(gamma) == ("standby", 2))
        if cut == ("alpha", "beta"):
            # Only who owns an epoch fences another by it: what a third one knows is told, and how to stop by hand.
            problem = alpha.told("not-primary", "gamma: alpha is not the primary of web here: beta is, in epoch 2")
            assert "on alpha: hikae fence web" in problem["remedy"]
            assert 0 == alpha.run("fence", "web", "--yes").returncode
            assert False is alpha.look()["serving"]
            wires.heal()
        # By its word, and not by hand alone: a rejoin is refused before that.
        alpha.told("fenced", "beta was made the primary, in epoch 2")
        _one_in_each_epoch(made)
        wires.heal()
        assert "standby" == alpha.json("rejoin", "web", "--yes")["role"]
        _equal(made, "beta", "alpha", "gamma")


@pytest.mark.parametrize("cut", list(combinations(THREE, 2)), ids="-".join)
def test_a_switchover_with_one_of_three_links_cut(cut: tuple[str, str]) -> None:
    """The link between both is needed; without another one it is done, and the third follows as soon as it can."""
    with _filled(*THREE) as (made, wires):
        alpha, beta, gamma = made.agents
        wires.part(*cut)
        done = alpha.run("switchover", "web", "--to", "beta", "--yes")
        if cut == ("alpha", "beta"):
            assert (69, True) == (done.returncode, "beta" in done.stderr), done.stderr
            assert (("primary", 1), True) == (_role(alpha), alpha.look()["serving"])
            wires.heal()
            _equal(made, "alpha", "beta", "gamma")
            return
        assert 0 == done.returncode, done.stderr
        eventually(lambda: beta.look().get("serving"))
        eventually(lambda: alpha.look()["peers"][0]["connected"])
        if cut == ("beta", "gamma"):
            eventually(partial(_is_refused, gamma, "primary: alpha follows another primary, in epoch 2"))
        _one_in_each_epoch(made)
        wires.heal()
        _equal(made, "beta", "alpha", "gamma")


def test_two_standbys_promoted_on_two_sides_of_a_cut() -> None:
    """Their epochs have one number: both are fenced when they meet, and the old primary too; one command chooses, the others
    rejoin, and all that each alone had restores."""
    with _filled(*THREE) as (made, wires):
        alpha, beta, gamma = made.agents
        alpha.kill()
        wires.part("beta", "gamma")
        for agent in (beta, gamma):
            agent.json("promote", "web", "--force", "--yes")
            (_path(made, agent.name) / f"only {agent.name}").write_text(agent.name)
            (_path(made, agent.name) / "f1").write_text(agent.name)
        entries = 11
        for agent in (beta, gamma):
            eventually(lambda agent=agent: entries == agent.look()["commit"]["entries"])  # type: ignore[misc]
        stood = _tree(made, "gamma")
        wires.heal()
        for agent in (beta, gamma):
            agent.told("fenced", "apart from this node")
        assert [False, False] == [agent.look()["serving"] for agent in (beta, gamma)]
        alpha.start()
        alpha.up()
        alpha.told("fenced")
        assert 0 == beta.run("serve", "web", "--alone", "--yes").returncode
        eventually(lambda: (("primary", 3), True) == (_role(beta), beta.look()["serving"]))
        for agent in (gamma, alpha):
            eventually(partial(_has_rejoined, agent))
        _equal(made, "beta", "alpha", "gamma")
        eventually(lambda: gamma.look()["seeding"] is False)
        back = made.base / "back"
        given = gamma.run("restore", "web", "--generation", "divergence", "--to", str(back))
        assert (0, stood) == (given.returncode, {k: v for k, v in snapshot(str(back)).items() if k}), given.stderr
