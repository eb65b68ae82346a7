"""Job: what a month of generations takes to keep, beside restic's repository and borg's of the same days."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack

from bench import copies, ours, workloads
from bench.crew import Failed
from bench.figures import Row, Spec
from bench.job import Bench, Beside
from bench.machine import Unmeasurable
from fakes.agents import Pair

#: Keeps the tree as it is now; the bytes of all that is kept.
Keeps = Callable[[], float]


def store(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """A generation a day of many small files, of which one in a hundred is changed each day."""
    source = bench.base / "source"
    workloads.small_files(source, bench.sizes.small_files)
    peers, generator = {"restic": Beside(), "borg": Beside()}, random.Random(11)
    with ExitStack() as stack, ours.agents(bench.base, source) as pair:
        ours.first_sync(pair)
        keeps = {
            "restic": _kept(stack, peers["restic"], copies.restic_days(bench.base, source)),
            "borg": _kept(stack, peers["borg"], copies.borg_days(bench.base, source)),
        }
        taken = dict.fromkeys(keeps, 0.0)
        for day in range(bench.sizes.days):
            if day:
                workloads.change_files(source, bench.sizes.changed_part, generator)
            _take(pair)
            for name, keep in keeps.items():
                taken[name] = keep()
        pair.stop()
        own = _kept_bytes(pair)
    for name, beside in peers.items():
        if not beside.reason:
            beside.figures.append(taken[name])
        yield beside.row(specs[f"store-{name}"], [own])


def _kept(stack: ExitStack, beside: Beside, repository: AbstractContextManager[Keeps]) -> Keeps:
    try:
        return stack.enter_context(repository)
    except (Unmeasurable, Failed) as error:
        beside.reason = str(error)
        return lambda: 0.0


def _take(pair: Pair) -> None:
    ours.applied(pair)
    pair.beta.json("generations", "take", "web")


def _kept_bytes(pair: Pair) -> float:
    """Of the vault, and of the catalog that says what is in it; the agent has ended, so that no log stands beside them."""
    home = pair.home(pair.beta)
    return float(workloads.size_below(home / "vault") + (home / "catalog.db").stat().st_size)
