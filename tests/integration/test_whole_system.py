"""A tree that holds its agent's own state, as ``/`` does: replicated without that, brought back elsewhere, never written over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.agents import Pair, running
from fakes.mounts import memory, needs_root


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    """alpha's state lies below the tree that it replicates."""

    def made(base: Path) -> Pair:
        state = base / "source" / "var" / "lib" / "hikae"
        state.parent.mkdir(parents=True)
        return Pair(base, states={"alpha": state})

    with running(made) as pair:
        (pair.source / "etc").mkdir()
        (pair.source / "etc" / "hostname").write_text("alpha\n")
        pair.start()
        for agent in pair.agents:
            agent.up()
        pair.settle()
        yield pair


def test_all_but_the_agents_own_is_there(both: Pair) -> None:
    """What the agent writes there is no change of the tree: nothing is committed of it, and nothing is warned of."""
    before = both.alpha.look()["commit"]["seq"]
    for _ in range(3):
        both.alpha.json("reconcile", "web")
        both.alpha.wait()
    after = both.alpha.look()
    assert (["etc", "var"], ["lib"], []) == (
        sorted(name for name in os.listdir(both.target) if name != ".hikae"),
        os.listdir(both.target / "var"),
        os.listdir(both.target / "var" / "lib"),
    )
    assert (before, []) == (after["commit"]["seq"], after["problems"])


def test_the_rule_is_said(both: Pair) -> None:
    """By ``config check --files``."""
    done = both.alpha.run("config", "check", "--files", "web")
    assert (0, True) == (done.returncode, "var/lib/hikae/    (hikae's own state)" in done.stdout), done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback", "web", "--generation", "latest", "--yes"), "docs/bare-metal.md"),
        (("switchover", "web", "--yes"), "hikae promote on the other node"),
        (("rejoin", "web", "--yes"), "docs/bare-metal.md"),
        (("restore", "web", "--generation", "latest", "--from", "beta", "--in-place", "--yes"), "name the PATHs"),
    ],
)
def test_it_is_never_written_over_as_a_whole(both: Pair, words: tuple[str, ...], said: str) -> None:
    """Whatever is agreed to: the sentence says what is done instead."""
    both.beta.json("generations", "take", "web")
    done = both.alpha.run(*words)
    assert (3, True, True) == (done.returncode, "own state" in done.stderr, said in done.stderr), done.stderr


def test_a_path_of_it_is_brought_back_in_its_place(both: Pair) -> None:
    """A file that was lost, beside the running agent."""
    both.beta.json("generations", "take", "web")
    (both.source / "etc" / "hostname").unlink()
    words = ("restore", "web", "--generation", "latest", "--from", "beta", "--in-place", "--yes", "etc/hostname")
    done = both.alpha.run(*words)
    assert (0, "alpha\n") == (done.returncode, (both.source / "etc" / "hostname").read_text()), done.stderr


@needs_root
def test_it_is_restored_to_a_disk_that_is_mounted_below_it(both: Pair) -> None:
    """That is no part of it; a directory of the tree itself still is none to restore to."""
    both.alpha.wait()
    both.beta.json("generations", "take", "web")
    words = ("restore", "web", "--generation", "latest", "--from", "beta", "--to")
    with memory(both.source / "mnt") as disk:
        done = both.alpha.run(*words, str(disk))
        assert (0, True) == (done.returncode, (disk / "etc" / "hostname").exists()), done.stderr
    inside = both.alpha.run(*words, str(both.source / "etc" / "new"))
    assert (3, True) == (inside.returncode, "it is inside" in inside.stderr), inside.stderr
