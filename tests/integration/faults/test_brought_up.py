"""A peer whose commit the primary does not know any more: it alone is brought up, in the same epoch, and nobody else notices."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.store.catalog.catalog import CatalogReader
from fakes.agents import Agent, Fleet, Shared, running
from fakes.eventually import eventually
from fakes.trees import put_back


class Short(Shared):
    """A dataset whose history is a second long."""

    def config(self, extra: str = "") -> str:
        return super().config(f'history = "1s"\n{extra}')


@contextmanager
def three() -> Iterator[Fleet]:
    """alpha, which forgets soon, with the standbys beta and gamma, all mirrored."""

    def make(base: Path) -> Fleet:
        paths = {name: base / f"tree-{name}" for name in ("alpha", "beta", "gamma")}
        return Fleet(base, tuple(paths), [Short("web", "alpha", ("beta", "gamma"), paths)])

    with running(make) as fleet:
        source = fleet.datasets["web"].paths["alpha"]
        for number in range(200):
            (source / f"f{number}").write_text(f"first {number}")
        fleet.begin()
        yield fleet


def horizon(agent: Agent) -> int:
    """The oldest moment that its catalog knows."""
    with CatalogReader.open(str(agent.state / "datasets" / "web" / "catalog.db")) as catalog:
        return catalog.horizon()


def go_on(fleet: Fleet, since: int) -> None:
    """Files are changed, removed and made while gamma is away, and alpha forgets everything up to commit ``since``."""
    alpha, source = fleet["alpha"], fleet.datasets["web"].paths["alpha"]
    for number in range(3):
        (source / f"f{number}").write_text(f"changed {number}")
        (source / f"f{100 + number}").unlink()
        (source / f"new{number}").write_text(f"new {number}")
        fleet["beta"].up()
        alpha.json("reconcile", "web")
    eventually(lambda: alpha.peer("beta")["applied_seq"] == alpha.look()["commit"]["seq"])
    # What is older than a second is forgotten at the first rest after a start; it keeps the newest commit of before that.
    written = time.monotonic()
    eventually(lambda: time.monotonic() - written > 1.5)
    alpha.restart()
    eventually(lambda: horizon(alpha) > since)


@pytest.mark.timeout(240)
def test_away_longer_than_history() -> None:
    """gamma has all again, alpha and beta are in their epoch, and gamma's past stays."""
    with three() as fleet:
        alpha, gamma = fleet["alpha"], fleet["gamma"]
        old = gamma.look()["commit"]
        gamma.kill()
        go_on(fleet, old["epoch"] << 40 | old["seq"])
        gamma.start()
        fleet.mirror()
        assert [1, 1, 1] == [agent.look()["epoch"] for agent in fleet.agents]
        assert not {"rewound", "fenced", "lineage-waits", "not-running"} & set(alpha.problems())
        gamma.kill(signal.SIGTERM)
        with CatalogReader.open(str(gamma.state / "datasets" / "web" / "catalog.db")) as catalog:
            commit = catalog.commit_at(old["epoch"] << 40 | old["seq"])
            assert commit is not None
            assert old["digest"] == commit.digest.hex()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("tree", [True, False])
def test_put_back_to_an_old_image(tree: bool) -> None:
    """State and tree, or the state alone; alpha has forgotten the commit that it holds."""
    with three() as fleet:
        gamma, target = fleet["gamma"], fleet.datasets["web"].paths["gamma"]
        old = fleet["alpha"].look()["commit"]
        gamma.kill(signal.SIGTERM)
        shutil.copytree(gamma.state, fleet.base / "old-state")
        shutil.copytree(target, fleet.base / "old-tree")
        gamma.start()
        go_on(fleet, old["epoch"] << 40 | old["seq"])
        fleet.mirror()
        gamma.kill(signal.SIGTERM)
        for path, image in ((gamma.state, "old-state"), (target, "old-tree"))[: 2 if tree else 1]:
            put_back(fleet.base / image, path)
        # What gamma had is told until it comes again: only something new waits for it.
        (fleet.datasets["web"].paths["alpha"] / "last").write_text("1")
        gamma.start()
        fleet.mirror()
        assert [1, 1, 1] == [agent.look()["epoch"] for agent in fleet.agents]


@pytest.mark.timeout(240)
def test_a_standby_from_nothing_while_another_streams() -> None:
    """Its whole state and tree are new: it is brought up beside the other, which goes on from commit to commit."""
    with three() as fleet:
        gamma, beta = fleet["gamma"], fleet["beta"]
        old = gamma.look()["commit"]
        gamma.kill()
        shutil.rmtree(gamma.state)
        shutil.rmtree(fleet.datasets["web"].paths["gamma"])
        go_on(fleet, old["epoch"] << 40 | old["seq"])
        before = beta.look()["commit"]
        gamma.start()
        fleet.mirror()
        assert (1, before["epoch"]) == (gamma.look()["epoch"], beta.look()["commit"]["epoch"])
        assert beta.look()["commit"]["seq"] >= before["seq"]
