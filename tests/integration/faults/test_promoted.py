"""A standby whose record makes it the primary, and the old primary that comes back: never two writers of one epoch."""

from __future__ import annotations

import signal
from pathlib import Path

from agent.core.errors import Exit
from agent.roles.record import ROLE
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.roles import make_primary, make_standby, reign

BETAS = reign(2, "beta")


def swap(agent: Agent) -> None:
    """Its file names beta as the primary and alpha as the standby."""
    text = agent.config.read_text()
    text = text.replace('primary = "alpha"', 'primary = "beta"').replace('standby = ["beta"]', 'standby = ["alpha"]')
    agent.config.write_text(text)


def promote(both: Pair) -> None:
    """The primary is dead; the record of beta makes it the primary."""
    both.alpha.kill()
    both.beta.kill()
    make_primary(both.home(both.beta), BETAS)
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
        assert all(way in problem["remedy"] for way in ("hikae rejoin web", "hikae serve web --alone"))
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
        make_standby(both.home(both.alpha), BETAS)
        both.alpha.start()
        both.alpha.told("standby-not-empty")
        both.alpha.kill(signal.SIGTERM)
        moved_tree(both)
        both.alpha.start()
        eventually((both.source / "after").exists)
        both.beta.json("wait", "web", "--applied", "--timeout", "60")
        assert (both.target / "f7").read_text() == (both.source / "f7").read_text()
        assert [2, 2] == [agent.look()["epoch"] for agent in both.agents]


def roles(both: Pair) -> list[tuple[str, str, int]]:
    """Role, primary and epoch as either node says."""
    return [(shown["role"], shown["primary"], shown["epoch"]) for shown in (agent.look() for agent in both.agents)]


def test_another_primary_in_the_files_changes_nothing_and_is_said() -> None:
    """At a reload, at a restart and in `config check`, on both nodes, until the file names the primary again."""
    with pair(UNBRAKED) as both:
        filled(both)
        before = {agent: agent.config.read_text() for agent in both.agents}
        for agent in both.agents:
            swap(agent)
            assert "dataset[web].primary" not in agent.json("reload")["needs_restart"]
            agent.told("primary-ignored", 'primary = "beta"', "alpha is its primary")
            agent.restart()
            problem = agent.told("primary-ignored")
            assert 'nothing is broken: write primary = "alpha", standby = ["beta"]' in problem["remedy"]
            checked = agent.run("config", "check")
            assert (Exit.DONE, True) == (checked.returncode, "a file says who begins" in checked.stderr)
        (both.source / "after").write_text("still captured on alpha")
        both.mirror()
        assert [("primary", "alpha", 1), ("standby", "alpha", 1)] == roles(both)
        for agent in both.agents:
            agent.config.write_text(before[agent])
            agent.json("reload")
            agent.cleared("primary-ignored")


def test_roles_begin_anew_with_another_primary() -> None:
    """The way out that is told: the files name beta, the state is moved away on both, and alpha takes its tree over."""
    with pair("adopt = true\n" + UNBRAKED) as both:
        filled(both)
        (both.target / "f7").write_text("only on beta")
        both.stop()
        for agent in both.agents:
            swap(agent)
            both.home(agent).rename(both.base / f"{agent.name}.old")
        both.start()
        both.beta.up()
        both.beta.wait()
        assert [("standby", "beta", 1), ("primary", "beta", 1)] == roles(both)
        assert ["only on beta", "first 8"] == [(both.source / name).read_text() for name in ("f7", "f8")]


def test_a_lost_record_makes_no_other_node_the_primary() -> None:
    """The catalog knows who reigned, whatever the files say by now."""
    with pair(UNBRAKED) as both:
        filled(both)
        both.stop()
        for agent in both.agents:
            swap(agent)
            (both.home(agent) / ROLE).unlink()
        both.begin()
        assert [("primary", "alpha", 1), ("standby", "alpha", 1)] == roles(both)


def test_a_damaged_record_of_a_standby_is_named() -> None:
    """It is no standby of anybody meanwhile; the command that is told leads out."""
    with pair(UNBRAKED) as both:
        filled(both)
        both.beta.kill()
        (both.home(both.beta) / ROLE).write_text('{"version": 2')
        both.beta.start()
        problem = both.beta.told("not-running", "role record")
        assert f"rm {both.home(both.beta) / ROLE}" in problem["remedy"]
        (both.home(both.beta) / ROLE).unlink()
        both.mirror()


def test_a_record_that_names_another_owner_than_the_peers() -> None:
    """Two that both take the other for the primary, and a standby whose record knows another: nothing travels, and it is said."""
    with pair(UNBRAKED) as both:
        filled(both)
        both.stop()
        make_standby(both.home(both.beta), reign(2, "gamma"))
        both.start()
        both.beta.told("primary-ignored", "gamma is its primary")
        eventually(lambda: "not-primary" in both.alpha.problems())
        both.stop()
        make_standby(both.home(both.alpha), BETAS)
        make_standby(both.home(both.beta), reign(2, "alpha"))
        both.start()
        both.beta.up()
        both.alpha.told("primary-ignored", "beta is its primary")
        assert [("standby", "beta"), ("standby", "alpha")] == [one[:2] for one in roles(both)]
        assert {False} == {peer["connected"] for agent in both.agents for peer in agent.look()["peers"]}
        eventually(lambda: "disconnected" == both.beta.look()["state"])
