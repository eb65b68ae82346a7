"""Job: a standby of very many files takes over, the old primary rejoins, and both change places again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from bench import ours, workloads
from bench.crew import Failed
from bench.figures import Row, Spec, alone
from bench.job import Bench
from fakes.agents import Agent, Pair
from fakes.eventually import eventually

_HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
_WORDS = ("--force", "--yes", "--reason", "bench", "--approved-by", "bench")
#: In memory, for a file: its inode on both sides, and its rows in the catalogs and logs of both, twice while one is seeded.
_A_FILE = 6144
_PATIENCE = 1800.0


def role_changes(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """By the agents' own steps for what a promotion and a switchover take, and by the clock for a rejoin until all is equal."""
    bench.need_room(bench.sizes.many_files * _A_FILE)
    workloads.empty_files(bench.base / "source", bench.sizes.many_files)
    figures: dict[str, list[float]] = {"promote": [], "rejoin": [], "switchover": []}
    with ours.agents(bench.base, bench.base / "source", _HOOKS) as pair:
        ours.first_sync(pair)
        for _ in range(bench.sizes.role_runs):
            for name, seconds in _there_and_back(pair):
                figures[name].append(seconds)
            bench.say(", ".join(f"{name} {done[-1]:.2f} s" for name, done in figures.items()))
        if workloads.counted(pair.source) != workloads.counted(pair.target):
            raise Failed("the trees differ after the changes of roles")
    for name, measured in figures.items():
        yield alone(specs[name], measured)


def _there_and_back(pair: Pair) -> Iterator[tuple[str, float]]:
    pair.alpha.kill()
    yield "promote", _own_seconds(pair.beta, "promote")
    pair.alpha.start()
    pair.alpha.up()
    _until(pair.alpha, "state", "fenced")
    begun = time.monotonic()
    _own_seconds(pair.alpha, "rejoin")
    pair.beta.wait("applied", _PATIENCE)
    yield "rejoin", time.monotonic() - begun
    eventually(lambda: pair.alpha.look()["state"] != "seeding", _PATIENCE)
    yield "switchover", _own_seconds(pair.beta, "switchover")
    _until(pair.alpha, "role", "primary")
    pair.alpha.wait("applied", _PATIENCE)


def _own_seconds(agent: Agent, command: str) -> float:
    """What the command says that its steps took."""
    words = _WORDS if command != "switchover" else (*_WORDS, "--to", "alpha")
    done: dict[str, Any] = agent.json(command, "web", *words)
    return float(done["rto_ms"]) / 1000


def _until(agent: Agent, key: str, value: str) -> None:
    eventually(lambda: agent.look().get(key) == value, _PATIENCE)
