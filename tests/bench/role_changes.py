"""Job: a standby of very many files takes over, the old primary rejoins after some changes, and both change places again while an
application writes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import ours, workloads
from bench.crew import Failed
from bench.figures import Row, Spec, alone
from bench.job import Bench
from bench.specs import CHANGED_BYTES
from fakes.agents import UNBRAKED, Agent, Pair
from fakes.eventually import eventually
from fakes.hooked_client import HookedClient, with_hooked_client
from fakes.proxy import Proxy, proxy

_WORDS = ("--force", "--yes", "--reason", "bench", "--approved-by", "bench")
#: In memory, for a file: its inode on both sides, and its rows in the catalogs and logs of both, twice while one is seeded.
_A_FILE = 6144
_PATIENCE = 1800.0
#: Writes before and after a switchover between which its pause is looked for.
_AROUND = 100
#: Where the application writes, apart from what is changed.
_WRITES = "writes"


@dataclass(frozen=True, slots=True)
class _Changed:
    """Files of one tree that are changed again and again, so many at a time."""

    files: int
    count: int
    generator: random.Random

    def change(self, tree: Path) -> None:
        """Other content in ``count`` files, which no codec makes smaller."""
        for number in self.generator.sample(range(self.files), self.count):
            path = tree / f"d{number // 1000:04}" / f"f{number}"
            path.write_bytes(self.generator.randbytes(CHANGED_BYTES))


def role_changes(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """By the agents' own steps for what a promotion takes, by the clock for a rejoin until all is equal, by what the application
    saw for a switchover."""
    sizes = bench.sizes
    bench.need_room(sizes.many_files * _A_FILE)
    source = bench.base / "source"
    workloads.empty_files(source, sizes.many_files)
    (source / _WRITES).mkdir()
    changed = _Changed(sizes.many_files, sizes.changes, random.Random(7))
    figures: dict[str, list[float]] = {name: [] for name in specs}
    with ours.agents(bench.base, source, UNBRAKED) as pair:
        with_hooked_client(pair)
        with proxy(pair.alpha.port) as to_alpha, proxy(pair.beta.port) as to_beta:
            pair.reach_through("beta", "alpha", to_alpha.port)
            pair.reach_through("alpha", "beta", to_beta.port)
            ours.first_sync(pair)
            for number in range(sizes.role_runs):
                for name, value in _there_and_back(pair, changed, (to_alpha, to_beta), f"{_WRITES}/{number}"):
                    figures[name].append(value)
                bench.say(", ".join(f"{name} {done[-1]:,.2f}" for name, done in figures.items()))
        if workloads.counted(pair.source) != workloads.counted(pair.target):
            raise Failed("the trees differ after the changes of roles")
    for name, measured in figures.items():
        yield alone(specs[name], measured)


def _there_and_back(
    pair: Pair, changed: _Changed, wires: tuple[Proxy, Proxy], below: str
) -> Iterator[tuple[str, float]]:
    """``below``: the directory in which the application writes, new each time."""
    alpha, beta = pair.agents
    alpha.kill()
    yield "promote", _own_seconds(beta, "promote")
    changed.change(pair.target)
    beta.json("reconcile", "web", timeout=_PATIENCE)
    alpha.start()
    alpha.up()
    _until(alpha, lambda one: one.get("state") == "fenced")
    begun, carried = time.monotonic(), sum(one.carried for one in wires)
    _own_seconds(alpha, "rejoin")
    beta.wait("applied", _PATIENCE)
    yield "rejoin", time.monotonic() - begun
    yield "rejoin-wire", sum(one.carried for one in wires) - carried
    _until(alpha, lambda one: one.get("state") == "streaming")
    (pair.target / below).mkdir()
    with HookedClient(pair, below=below) as client:
        _write_on(client)
        begun = time.monotonic()
        _own_seconds(beta, "switchover")
        _until(alpha, lambda one: one.get("role") == "primary")
        _write_on(client)
        yield "switchover-pause", client.longest_pause(begun)
    alpha.wait("applied", _PATIENCE)
    if lost := client.missing(pair.source / below):
        raise Failed(f"{len(lost)} writes are missing after a switchover, the first is {lost[0]}")


def _write_on(client: HookedClient) -> None:
    wanted = len(client.written) + _AROUND
    eventually(lambda: len(client.written) >= wanted, _PATIENCE)


def _own_seconds(agent: Agent, command: str) -> float:
    """What the command says that its steps took."""
    words = _WORDS if command != "switchover" else (*_WORDS, "--to", "alpha")
    done: dict[str, Any] = agent.json(command, "web", *words, timeout=_PATIENCE)
    return float(done["rto_ms"]) / 1000


def _until(agent: Agent, so: Callable[[dict[str, Any]], bool]) -> None:
    eventually(lambda: so(agent.look()), _PATIENCE)
