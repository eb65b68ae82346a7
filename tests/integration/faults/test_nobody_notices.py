"""A standby that begins anew, or from an old image, is its own affair and the primary's: nobody else notices, by every count."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.store.catalog.catalog import CatalogReader
from fakes.agents import Agent, Fleet, fleet
from fakes.eventually import eventually
from fakes.proxy import Proxy, proxy
from fakes.trees import put_back

_SIZE = 40_000
#: Files that an old image has, and those that came after it.
_OLD, _LATER = 200, 100
#: So fast, in bytes a second, gamma is brought up while changes are made: the least of it takes more than a minute.
_CRAWL = 50_000.0
#: So many changes are made meanwhile. Each is of one or two commits, and of few rows.
_CHANGES = 5
_COMMITS, _ROWS = range(_CHANGES, 2 * _CHANGES + 1), range(_CHANGES, 4 * _CHANGES + 1)
#: Changes and signs of life are fewer bytes than this, and the least that gamma is given is far more.
_FEW = _LATER * _SIZE // 20


@dataclass(frozen=True, slots=True)
class Three:
    """alpha with the standbys beta and gamma, each behind a wire of its own."""

    fleet: Fleet
    beta_wire: Proxy
    gamma_wire: Proxy

    def tree(self, name: str) -> Path:
        """Where a node has the dataset."""
        return self.fleet.datasets["web"].paths[name]

    def write(self, rng: random.Random, first: int, count: int) -> None:
        """New files on the primary."""
        for number in range(first, first + count):
            directory = self.tree("alpha") / f"d{number % 8}"
            directory.mkdir(exist_ok=True)
            (directory / f"f{number}").write_bytes(rng.randbytes(_SIZE))

    def change(self, number: int) -> None:
        """A whole new file comes by a rename from elsewhere, and beta has it."""
        made = self.fleet.base / "made"
        made.write_text(f"change {number}")
        made.rename(self.tree("alpha") / f"new{number}")
        eventually((self.tree("beta") / f"new{number}").exists)


@contextmanager
def three() -> Iterator[Three]:
    """None of them runs."""
    with (
        fleet("alpha", "beta", "gamma") as made,
        proxy(made["beta"].port) as beta_wire,
        proxy(made["gamma"].port) as gamma_wire,
    ):
        made.reach_through("alpha", "beta", beta_wire.port)
        made.reach_through("alpha", "gamma", gamma_wire.port)
        yield Three(made, beta_wire, gamma_wire)


def oldest(agent: Agent) -> int:
    """The moment that its catalog's history begins at."""
    with CatalogReader.open(str(agent.state / "datasets" / "web" / "catalog.db")) as catalog:
        return catalog.horizon()


def standing(alpha: Agent, beta: Agent) -> dict[str, object]:
    """What must not change for the two that are not concerned."""
    one, two = alpha.look(), beta.look()
    return {
        "call, as alpha has it": alpha.peer("beta")["since"],
        "call, as beta has it": beta.peer("alpha")["since"],
        "epochs": [one["epoch"], two["epoch"], one["commit"]["epoch"], two["commit"]["epoch"]],
        "history": [oldest(agent) for agent in (alpha, beta)],
    }


def counted(alpha: Agent, beta: Agent) -> tuple[int, int, int]:
    """Commits of alpha, commits of beta, and rows that alpha found."""
    one = alpha.look()
    watch = one["watch"]
    return one["commit"]["seq"], beta.look()["commit"]["seq"], watch["by_event"] + watch["by_reconcile"]


def looked(alpha: Agent) -> tuple[int, str]:
    """How often lost events asked for a look at everything, as whatever is written on the same filesystem may make them (law 4),
    and when the last one ended."""
    watch = alpha.look()["watch"]
    return watch["overflows"], watch["last_reconcile"]


def last_event(agent: Agent) -> int:
    """The id of the newest."""
    newest: int = max(row["id"] for row in agent.json("events"))
    return newest


def told(agent: Agent, since: int) -> list[str]:
    """What its events say since then, if it is more than information."""
    rows = agent.json("events", "--limit", "1000")
    return [row["message"] for row in rows if row["id"] > since and row["severity"] != "info"]


def from_nothing(gamma: Agent, tree: Path, _image: Path) -> None:
    """Its state and its tree are gone, the root too."""
    shutil.rmtree(gamma.state)
    shutil.rmtree(tree)


def from_an_image(gamma: Agent, tree: Path, image: Path) -> None:
    """Its state and its tree are what they were when the image was made."""
    put_back(image / "state", gamma.state)
    put_back(image / "tree", tree)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("begin", [from_nothing, from_an_image])
def test_nobody_else_notices(rng: random.Random, begin: Callable[[Agent, Path, Path], None]) -> None:
    """beta's call runs on and brings the changes made meanwhile and no more; alpha looks at nothing but these; epoch and history
    stay; neither tells of a problem; gamma ends equal."""
    with three() as it:
        alpha, beta, gamma = it.fleet.agents
        tree, image = it.tree("gamma"), it.fleet.base / "image"
        it.write(rng, 0, _OLD)
        it.fleet.begin()
        gamma.kill(signal.SIGTERM)
        shutil.copytree(gamma.state, image / "state", symlinks=True)
        shutil.copytree(tree, image / "tree", symlinks=True)
        gamma.start()
        it.write(rng, _OLD, _LATER)
        it.fleet.mirror()
        gamma.kill(signal.SIGTERM)
        begin(gamma, tree, image)
        eventually(lambda: not alpha.peer("gamma")["connected"])

        it.gamma_wire.throttle(_CRAWL)
        stood, count, carried = standing(alpha, beta), counted(alpha, beta), it.beta_wire.carried
        looks = looked(alpha)
        betas = last_event(beta)
        gamma.start()
        eventually(lambda: alpha.peer("gamma")["connected"])
        # Before, that gamma is away may be told, and that a wire without anybody behind it speaks no TLS.
        alphas = last_event(alpha)
        for number in range(_CHANGES):
            it.change(number)
        assert not (tree / f"new{_CHANGES - 1}").exists()
        it.gamma_wire.throttle(None)
        it.fleet.mirror(120)

        assert stood == standing(alpha, beta)
        assert looks == looked(alpha) or looked(alpha)[0] > looks[0]
        commits, received, rows = (now - then for now, then in zip(counted(alpha, beta), count, strict=True))
        few = it.beta_wire.carried - carried
        print(f"{commits} commits, {rows} rows, {few:,} bytes to beta and back")
        assert (commits, True, True) == (received, commits in _COMMITS, rows in _ROWS)
        assert few < _FEW
        # That alpha brings gamma up is a state of alpha's, and no problem.
        raised = [message for message in told(alpha, alphas) if message.startswith("raised")]
        assert ([], []) == (raised, told(beta, betas))
        assert [{}, {}, {}] == [agent.problems() for agent in it.fleet.agents]
        assert 1 == len({agent.look()["commit"]["digest"] for agent in it.fleet.agents})
        verified = gamma.json("verify", "web", "--deep")
        assert (True, []) == (verified["equal"], verified["differences"])
