"""Job: what a month of generations takes to keep, beside restic's repository and borg's of the same days."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

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
    peers, generator, own = {"restic": Beside(), "borg": Beside()}, random.Random(11), 0.0
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
            own = _taken(pair)
            for name, keep in keeps.items():
                taken[name] = keep()
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


def _taken(pair: Pair) -> float:
    """Take a generation; bytes of the vault, and of the catalog that says what is in it."""
    ours.applied(pair)
    pair.beta.json("generations", "take", "web")
    home = pair.home(pair.beta)
    catalog = sum(path.stat().st_size for path in _of_catalog(home))
    return float(workloads.size_below(home / "vault") + catalog)


def _of_catalog(home: Path) -> list[Path]:
    """The catalog and its log."""
    return [path for path in home.iterdir() if path.name.startswith("catalog.db")]
