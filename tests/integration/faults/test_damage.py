"""Databases and packs whose bytes are not what was written: named with a remedy, and the remedy works as it is written."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from agent.core.errors import Exit
from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually

#: `make soak PART=damaged-chunk` runs the last test so often.
RUNS = int(os.environ.get("HIKAE_SOAK_SEEDS", "1"))


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


@pytest.mark.parametrize(("which", "start"), [(0, 0.0), (0, 0.3), (1, 0.3)])
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


@pytest.mark.parametrize(("which", "start"), [(0, 0.3), (1, 0.0), (1, 0.3)])
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


def spoil_packs(both: Pair) -> None:
    """Overwrite some bytes in every part of every pack."""
    packs = sorted((both.home(both.beta) / "vault" / "packs").glob("*.pack"))
    assert packs
    for pack in packs:
        with pack.open("r+b") as file:
            for at in range(600, pack.stat().st_size - 64, 50_000):
                file.seek(at)
                file.write(b"\x5a" * 32)


def test_a_damaged_pack_is_found_and_healed() -> None:
    """`verify --deep` reads the vault too: what is damaged is named, fetched from the primary, and whole at the next look."""
    with pair() as both:
        filled(both)
        spoil_packs(both)
        both.start()
        both.beta.up()
        done = both.beta.run("verify", "web", "--deep")
        assert (Exit.FAILED, True) == (done.returncode, "vault: " in done.stdout), done.stdout
        both.beta.cleared("vault-damaged")
        assert both.beta.json("verify", "web", "--deep")["equal"]
        (both.source / "later").write_text("1")
        both.mirror()


def test_a_damaged_chunk_that_the_standby_needs_is_fetched_again() -> None:
    """Stored, damaged before it was applied: said, fetched from the primary, applied. Nobody need do anything."""
    with pair() as both:
        filled(both)
        both.start()
        both.alpha.up()
        both.beta.json("pause", "web", "--apply")
        for number in range(30):
            (both.source / f"new{number}").write_bytes(os.urandom(60_000))
        both.alpha.wait("durable")
        both.alpha.kill()
        both.beta.kill()
        spoil_packs(both)
        both.beta.start()
        both.beta.told("vault-damaged")
        both.alpha.start()
        both.mirror(90)
        both.beta.cleared("vault-damaged", "chunk-damaged")


@pytest.mark.parametrize("_run", range(RUNS))
def test_a_damaged_chunk_whose_file_has_changed_is_no_loss_for_the_standby(_run: int) -> None:
    """What the primary no longer has is lost for the past only: the newest state arrives, and the problem clears."""
    with pair() as both:
        filled(both)
        spoil_packs(both)
        for number in range(8):
            (both.source / f"random{number}").write_bytes(os.urandom(100_000))
        both.start()
        both.beta.up()
        eventually(lambda: Exit.FAILED == both.beta.run("verify", "web", "--deep").returncode)
        both.mirror(90)
        # What is asked for before the primary has looked at the files is asked for again half a minute later.
        both.beta.cleared("vault-damaged", within=100)
        assert both.beta.json("verify", "web", "--deep")["equal"]
