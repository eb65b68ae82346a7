"""Nodes that are not alike: other releases, other configurations. Said on both sides, and gone when they are alike again."""

from __future__ import annotations

import signal
import sys

from agent import __version__
from fakes.agents import Agent, pair
from fakes.eventually import eventually


def of_another_release(agent: Agent, versions: str) -> None:
    """From its next start on the agent speaks these versions of the protocol."""
    agent.program = (sys.executable, "-m", "tests.fakes.other_release", versions)


def as_it_is(agent: Agent) -> None:
    """From its next start on it is this release again."""
    agent.program = (sys.executable, "-m", "agent.cli.main")


def reconfigure(agent: Agent, old: str, new: str) -> None:
    """Change a line of the agent's file and start it again."""
    text = agent.config.read_text()
    assert old in text
    agent.config.write_text(text.replace(old, new))
    agent.restart()


def test_a_primary_that_was_upgraded_first() -> None:
    """It speaks only newer versions: both say so and whom to upgrade; nothing is sent; upgraded, it goes on by itself."""
    with pair() as both:
        (both.source / "f").write_text("1")
        of_another_release(both.alpha, "4,3")
        both.start()
        for agent in both.agents:
            assert "upgrade beta" in agent.told("version", "beta speaks version 2", "versions 3, 4")["remedy"]
        assert "Traceback" not in both.alpha.tail() + both.beta.tail()
        of_another_release(both.beta, "3,2")
        both.beta.restart()
        both.mirror()
        for agent in both.agents:
            agent.cleared("version", "disconnected")


def test_a_secondary_that_was_upgraded_first() -> None:
    """The right order: it speaks the primary's version too, and nobody need know."""
    with pair() as both:
        (both.source / "f").write_text("1")
        of_another_release(both.beta, "3,2")
        both.begin()
        eventually(lambda: not both.alpha.problems() and not both.beta.problems())
        assert [__version__] * 2 == [agent.look()["peers"][0]["version"] for agent in both.agents]


def test_a_primary_that_is_two_releases_behind() -> None:
    """The secondary does not speak that old version any more: the primary is the one to upgrade."""
    with pair() as both:
        of_another_release(both.alpha, "1")
        both.start()
        for agent in both.agents:
            assert agent.told("version", "speaks version 1")["remedy"].startswith("upgrade alpha")
        both.alpha.kill(signal.SIGTERM)
        as_it_is(both.alpha)
        both.alpha.start()
        both.mirror()
        both.beta.cleared("version")


def test_configurations_that_differ() -> None:
    """Both warn with the dataset, the peer and what to do, replication goes on; the same again, both are content."""
    with pair('exclude = ["*.tmp"]\n') as both:
        (both.source / "f").write_text("1")
        (both.source / "x.tmp").write_text("left out by the primary alone")
        both.start()
        both.alpha.up()
        both.alpha.wait()
        reconfigure(both.beta, 'exclude = ["*.tmp"]', 'exclude = ["*.tmp", "*.bak"]')
        assert "config show" in both.alpha.told("config-differs", "web", "beta")["remedy"]
        assert "config show" in both.beta.told("config-differs", "web", "alpha")["remedy"]
        (both.source / "f.bak").write_text("the secondary's own rules leave nothing out")
        both.alpha.wait()
        assert ["f", "f.bak"] == sorted(one.name for one in both.target.iterdir() if one.name != ".hikae")
        eventually(lambda: "degraded" == both.alpha.look()["state"])
        reconfigure(both.beta, 'exclude = ["*.tmp", "*.bak"]', 'exclude = ["*.tmp"]')
        for agent in both.agents:
            agent.cleared("config-differs")


def test_what_is_a_nodes_own_may_differ() -> None:
    """History, watcher and vault are decided by each node for itself: nobody is warned."""
    with pair() as both:
        (both.source / "f").write_text("1")
        both.begin()
        reconfigure(both.beta, 'standby = ["beta"]', 'standby = ["beta"]\nhistory = "2h"\nreconcile = "none"')
        (both.source / "g").write_text("they have met again once this is there")
        both.mirror()
        both.alpha.cleared("disconnected")
        assert [{}, {}] == [agent.problems() for agent in both.agents]
