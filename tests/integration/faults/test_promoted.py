"""A standby that the configuration makes the primary, and the old primary that comes back: never two writers of one epoch."""

from __future__ import annotations

import signal
from pathlib import Path

from agent.core.errors import Exit
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually


def swap(agent: Agent) -> None:
    """From its next start on it takes beta for the primary and alpha for the standby."""
    text = agent.config.read_text()
    text = text.replace('primary = "alpha"', 'primary = "beta"').replace('standby = ["beta"]', 'standby = ["alpha"]')
    agent.config.write_text(text)


def promote(both: Pair) -> None:
    """The primary is dead; beta is made it by configuration."""
    both.alpha.kill()
    both.beta.kill()
    swap(both.beta)
    both.beta.start()
    both.beta.up()


def filled(both: Pair) -> None:
    """Some files are mirrored."""
    for number in range(30):
        (both.source / f"f{number}").write_text(f"first {number}")
    both.begin()


def test_it_begins_an_epoch_of_its_own_and_the_old_primary_is_fenced() -> None:
    """Both run as primary: the one that learns of the other's epoch sends nothing, says so, and one command leads out."""
    with pair(UNBRAKED) as both:
        filled(both)
        promote(both)
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        (both.target / "after").write_text("written on beta")
        eventually(lambda: 31 == both.beta.look()["commit"]["entries"])
        both.alpha.start()
        problem = both.alpha.told("fenced", "beta was made the primary, in epoch 2")
        assert all(way in problem["remedy"] for way in ("make beta the primary", "hikae accept web"))
        shown = both.alpha.look()
        assert ("fenced", "fenced", 1) == (shown["state"], shown["role"], shown["epoch"])
        hold = shown["hold"]
        assert ("fenced", True) == (
            hold["code"],
            "of beta" in both.alpha.json("accept", "web", "--dry-run")["gives_up"],
        )
        assert Exit.REFUSED == both.alpha.run("wait", "web", "--timeout", "20").returncode
        both.alpha.restart()
        both.alpha.told("fenced")
        assert "fenced" == both.alpha.json("accept", "web", "--yes")["accepted"]
        eventually(lambda: 3 == both.alpha.look().get("epoch"))
        both.beta.told("fenced", "alpha was made the primary, in epoch 3")
        assert 2 == both.beta.look()["epoch"]


def test_what_was_received_is_applied_first() -> None:
    """The apply stood still: the tree that is captured is the newest that was received, not the one that stood there."""
    with pair(UNBRAKED) as both:
        filled(both)
        both.beta.json("pause", "web", "--apply")
        (both.source / "f1").write_text("received and not applied")
        both.alpha.json("wait", "web", "--durable")
        assert "first 1" == (both.target / "f1").read_text()
        promote(both)
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        assert "received and not applied" == (both.target / "f1").read_text()
        both.beta.cleared("promoting", "not-running")


def moved_tree(both: Pair) -> Path:
    """The old primary's tree, moved away from its path, which is empty then."""
    kept = both.base / "kept"
    both.source.rename(kept)
    both.source.mkdir()
    return kept


def test_the_old_primary_comes_back_as_a_standby() -> None:
    """With an empty path it is brought up from what it had, in the new epoch; with its tree there it is held by name."""
    with pair(UNBRAKED) as both:
        filled(both)
        promote(both)
        eventually(lambda: 2 == both.beta.look().get("epoch"))
        (both.target / "after").write_text("written on beta")
        swap(both.alpha)
        both.alpha.start()
        both.alpha.told("standby-not-empty")
        both.alpha.kill(signal.SIGTERM)
        moved_tree(both)
        both.alpha.start()
        eventually((both.source / "after").exists)
        both.beta.json("wait", "web", "--applied", "--timeout", "60")
        assert (both.target / "f7").read_text() == (both.source / "f7").read_text()
        assert [2, 2] == [agent.look()["epoch"] for agent in both.agents]
