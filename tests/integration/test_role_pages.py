"""``docs/status.md`` of what can become of roles: two primaries, an old state, an empty one, a clone; and each way out, typed.

See ``fakes.status_pages``. ``HIKAE_WRITE_PAGES=1`` writes the document anew from what the agents say."""

from __future__ import annotations

import shutil
import signal
import subprocess
from functools import partial

import pytest

from agent.web.agent_check import verdict
from agent.web.looking import StateLook
from agent.web.questions import RoleAsked, RoleQuestion, answer
from fakes.agents import REPOSITORY, UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.roles import make_primary, reign
from fakes.status_pages import anything, filled, is_state, must_be

pytestmark = pytest.mark.usefixtures("utc")


def test_unconfirmed() -> None:
    """A primary that was started while its peer is away."""
    with filled() as both:
        both.beta.kill()
        both.alpha.restart()
        must_be("unconfirmed", both, is_state("unconfirmed", "has not confirmed"), anything)


def test_rewound() -> None:
    """The primary's state was put back to an old copy."""
    with filled() as both:
        both.alpha.kill(signal.SIGTERM)
        shutil.copytree(both.alpha.state, both.base / "old")
        both.alpha.start()
        for number in range(3):
            (both.source / "newer").write_text(str(number))
            both.mirror()
        both.alpha.kill(signal.SIGTERM)
        shutil.rmtree(both.alpha.state)
        (both.base / "old").rename(both.alpha.state)
        both.alpha.start()
        must_be("rewound", both, is_state("rewound"), is_state("disconnected"))


def test_fenced() -> None:
    """The secondary was made the primary while the old one was away, and now it is back."""
    with filled(UNBRAKED) as both:
        both.alpha.kill()
        both.beta.kill()
        make_primary(both.home(both.beta), reign(2, "beta"))
        both.beta.start()
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        both.alpha.start()
        # A fenced node has proven that it knows no later reign, so the new primary serves.
        must_be("fenced", both, is_state("fenced"), is_state("disconnected", "epoch"))


def agreed(agent: Agent, check: int, serves: bool) -> None:
    """Monitoring and load balancers are told the same of the node: ``check``, ``/primary`` and the agent-check."""
    eventually(lambda: agent.look().get("serving") is serves)
    eventually(lambda: agent.run("check").returncode == check)
    status = agent.json("status")
    look = StateLook(status, 0.0)
    primary = answer(look, RoleQuestion(RoleAsked.PRIMARY, "web"))
    assert (serves, 200 if serves else 503) == (status["datasets"][0]["serving"], primary.code)
    assert serves is verdict(look, "web").startswith("up"), verdict(look, "web")


def typed(agent: Agent, *words: str) -> None:
    """A way out, as the page says it; it must be taken."""
    done = agent.run(*words, "--yes")
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def reigns_in(agent: Agent, number: int) -> bool:
    """Whether the node is in that epoch."""
    return bool(number == agent.look().get("epoch"))


def followed(primary: Agent, both: Pair) -> None:
    """The other node follows, and their trees are equal."""
    primary.wait("applied")
    both.must_equal(both.datasets["web"])


def test_promoted_apart() -> None:
    """Both were made the primary, in epochs of one number: one is chosen, the other rejoins."""
    with filled(UNBRAKED) as both:
        both.kill()
        for agent in both.agents:
            make_primary(both.home(agent), reign(2, agent.name))
        both.beta.start()
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        (both.target / "only-beta").write_text("b")
        eventually(lambda: both.beta.look()["commit"]["entries"] == 21)
        both.alpha.start()
        must_be("fenced: two promoted apart", both, is_state("fenced"), is_state("fenced"))
        for agent in both.agents:
            agreed(agent, 2, serves=False)
        typed(both.beta, "serve", "web", "--alone")
        agreed(both.beta, 1, serves=True)
        typed(both.alpha, "rejoin", "web")
        followed(both.beta, both)
        assert "b" == (both.source / "only-beta").read_text()


def test_away_during_two_promotions() -> None:
    """The other node was promoted twice meanwhile: it is one rejoin."""
    with filled(UNBRAKED) as both:
        both.kill()
        for number in (2, 3):
            make_primary(both.home(both.beta), reign(number, "beta"))
            both.beta.start()
            eventually(partial(reigns_in, both.beta, number))
            both.beta.kill()
        both.beta.start()
        both.alpha.start()
        must_be(
            "fenced: away during two promotions", both, is_state("fenced"), is_state("disconnected", "serves nobody")
        )
        agreed(both.alpha, 2, serves=False)
        # Somebody decided it: it is for the one that has to rejoin that people are woken.
        agreed(both.beta, 1, serves=True)
        typed(both.alpha, "rejoin", "web")
        followed(both.beta, both)


def _newest(both: Pair) -> int:
    """The number, in its epoch, of the newest commit that alpha knows; 0 for none."""
    return int((both.alpha.look()["commit"] or {"seq": 0})["seq"])


def test_an_empty_state() -> None:
    """A primary whose state was lost appoints itself neither while its peer is silent nor when it is back; what stands in its
    tree is accepted."""
    with filled(UNBRAKED) as both:
        known = _newest(both)
        both.stop()
        shutil.rmtree(both.alpha.state)
        both.alpha.start()
        must_be("unconfirmed: an empty state", both, is_state("unconfirmed", "has not confirmed"), anything)
        # As many commits as the other node knows, so that it holds another one.
        while _newest(both) <= known:
            (both.source / "f0").write_text("first 0")
            both.alpha.json("reconcile", "web")
        agreed(both.alpha, 2, serves=False)
        both.beta.start()
        must_be("rewound: an empty state", both, is_state("rewound"), is_state("disconnected"))
        for agent in both.agents:
            agreed(agent, 2, serves=False)
        typed(both.alpha, "accept", "web")
        followed(both.alpha, both)


def test_an_empty_state_and_an_empty_tree() -> None:
    """Nothing is left on the primary: the other node goes on, and this one comes back from it."""
    with filled(UNBRAKED) as both:
        both.stop()
        for lost in (both.alpha.state, both.source):
            shutil.rmtree(lost)
        both.source.mkdir()
        both.start()
        eventually(lambda: both.alpha.look().get("state") == "rewound")
        typed(both.beta, "promote", "web", "--force")
        typed(both.alpha, "rejoin", "web")
        followed(both.beta, both)
        assert 20 == len([one for one in both.source.iterdir() if one.name != ".hikae"])


def test_a_clone() -> None:
    """A node with the state of another opens nothing; begun anew, as it says, it is a standby again."""
    with filled(UNBRAKED) as both:
        both.stop()
        shutil.rmtree(both.beta.state)
        shutil.copytree(both.alpha.state, both.beta.state)
        both.start()
        must_be(
            "a clone of another node",
            both,
            is_state("unconfirmed", "has not confirmed"),
            is_state("disconnected", "its state says"),
        )
        for agent in both.agents:
            agreed(agent, 2, serves=False)
        both.beta.kill(signal.SIGTERM)
        both.home(both.beta).rename(both.beta.state / "datasets" / "web.old")
        both.beta.start()
        both.beta.up()


WAITS = """[dataset.hooks]
start = "none"
stop = ["sh", "-c", "until test -e {0}/go; do sleep 0.1; done"]
"""


def test_moving() -> None:
    """A switchover waits for the application to stop: nobody serves, and each node says what is under way."""
    with pair() as both:
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text() + WAITS.format(both.base))
        (both.source / "f").write_text("first")
        both.begin()
        line = [*both.alpha.program, "--config", str(both.alpha.config), "switchover", "web", "--yes"]
        with subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as typing:
            eventually(lambda: (both.alpha.look()["moving"] or {}).get("step") == "stop")
            must_be("moving", both, is_state("moving"), is_state("moving"))
            for agent in both.agents:
                agreed(agent, 1, serves=False)
            (both.base / "go").touch()
            assert 0 == typing.wait(60)
        eventually(lambda: both.beta.look().get("serving"))


def test_promoted_with_the_old_primary_away() -> None:
    """Nobody is woken for what was decided, but from a limit on."""
    with filled('[dataset.hooks]\nstart = "none"\n') as both:
        both.alpha.kill()
        typed(both.beta, "promote", "web", "--force")
        must_be("promoted, and the old primary is away", both, anything, is_state("disconnected", "nothing listens"))
        agreed(both.beta, 1, serves=True)
        assert 2 == both.beta.run("check", "web", "-c", "0").returncode


def test_handed_over() -> None:
    """Who gave its place up does not take it back when the other node is gone."""
    with filled('[dataset.hooks]\nstart = "none"\nstop = "none"\n') as both:
        typed(both.alpha, "switchover", "web")
        both.beta.wait("applied")
        both.stop()
        both.alpha.start()
        both.alpha.up()
        eventually(lambda: both.alpha.look()["commit"])
        must_be("handed over", both, lambda one: bool(one["state"] == "disconnected" and one["commit"]), anything)
        agreed(both.alpha, 2, serves=False)
        typed(both.alpha, "promote", "web", "--force")
        agreed(both.alpha, 1, serves=True)
