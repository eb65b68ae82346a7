"""Databases and packs whose bytes are not what was written: named with a remedy, and the remedy works as it is written."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually


def filled(both: Pair) -> None:
    """A live pair with enough entries for a catalog of many pages, both stopped cleanly at the end."""
    for number in range(1_200):
        path = both.source / f"d{number % 12}" / f"file-with-a-name-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"content {number}")
    for number in range(8):
        (both.source / f"random{number}").write_bytes(os.urandom(200_000))
    both.begin()
    both.stop()


def damage(path: Path, start: float, count: int = 6) -> None:
    """Overwrite some pages of a file, the first at the given share of its length."""
    size = path.stat().st_size
    assert size > 20 * 4096, size
    with path.open("r+b") as file:
        for number in range(count):
            file.seek(int(size * start) // 4096 * 4096 + number * 4096 + 100)
            file.write(b"\xa5" * 512)


def follow_remedy(both: Pair, agent: Agent, name: str) -> None:
    """Stop the agent, move the named file away with what belongs to it, start: what the remedy says."""
    agent.kill(signal.SIGTERM)
    for path in both.home(agent).glob(f"{name}*"):
        path.rename(path.with_name(path.name + ".damaged"))
    agent.start()


def change_everything(both: Pair) -> None:
    """Touch every file, so that all of the catalog is read."""
    for path in both.source.glob("*/*"):
        os.utime(path)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("start", [0.0, 0.3])
def test_a_damaged_catalog_is_named_and_made_anew(which: int, start: float) -> None:
    """Pages overwritten while stopped: the dataset says which file it is and what to do; done, both sides are equal."""
    with pair() as both:
        filled(both)
        agent = both.agents[which]
        damage(both.home(agent) / "catalog.db", start)
        both.start()
        change_everything(both)
        problem = eventually(lambda: said_damaged(agent))
        assert "catalog.db" in problem["message"]
        assert f"mv {both.home(agent)}/catalog.db" in problem["remedy"]
        follow_remedy(both, agent, "catalog.db")
        both.mirror(90)
        assert said_damaged(agent) is None
        primary, standby = both.alpha.dataset(), both.beta.dataset()
        assert primary["commit"]["digest"] == standby["commit"]["digest"]
        assert both.beta.json("verify", "web", "--deep")["equal"]


def said_damaged(agent: Agent) -> dict[str, str] | None:
    """The problem that tells of damage, whatever its code."""
    return next((one for one in agent.problems().values() if "damaged" in one["message"]), None)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("start", [0.0, 0.3])
def test_damaged_local_facts_are_gathered_anew(which: int, start: float) -> None:
    """Facts that are only local are thrown away when they are damaged; nobody need do anything."""
    with pair() as both:
        filled(both)
        agent = both.agents[which]
        damage(both.home(agent) / "local.db", start)
        both.start()
        change_everything(both)
        both.mirror(90)
        agent.cleared("not-running", "capture-failed", "apply-stopped")
        (both.source / "later").write_text("1")
        both.mirror()
        assert both.beta.json("verify", "web", "--deep")["equal"]


def test_a_damaged_record_of_the_epoch_is_named() -> None:
    """`role.json` that is no JSON: said with what to type; typed, on it goes."""
    with pair() as both:
        filled(both)
        role = both.home(both.alpha) / "role.json"
        role.write_text("{")
        both.start()
        problem = both.alpha.told("not-running", str(role))
        command = problem["remedy"].partition("if it is lost: ")[2].partition(";")[0]
        assert f"rm {role}" == command
        subprocess.run(command.split(), check=True)
        both.mirror()
        both.alpha.cleared("not-running")
