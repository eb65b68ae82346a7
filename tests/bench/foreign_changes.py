"""Job: what it costs to look at very many files while another program changes link counts on their filesystem, outside of the
tree."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import foreign_linker, ours, workloads
from bench.crew import Failed, processor_time
from bench.figures import Row, Spec, paired
from bench.job import Bench
from bench.machine import Unmeasurable, filesystem_in_memory
from bench.specs import FOREIGN_RATE
from fakes.agents import Pair

#: In memory, for a file: as in ``many``.
_A_FILE = 4096
#: The part of the rate that must be reached.
_REACHED = 0.8
#: One run is so many reconciles in a row that they take so long together, in seconds: one of few files is over in no time.
_AT_LEAST = 2.0


def foreign_changes(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """In pairs: the changes on a filesystem that no node is on, then on the primary's. So both have the same load beside them,
    and the ratio is what being told of the changes costs."""
    if os.geteuid() != 0:
        raise Unmeasurable("fanotify, and a filesystem for the other program alone, take root")
    bench.need_room(bench.sizes.many_files * _A_FILE)
    source = bench.base / "source"
    workloads.empty_files(source, bench.sizes.many_files)
    elsewhere, beside = list[float](), list[float]()
    with filesystem_in_memory(bench.base / "elsewhere") as apart, ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        # One that is not counted: what was young when it was read is read once more.
        ours.reconcile(pair)
        for _ in range(bench.sizes.foreign_runs):
            needs_fanotify(pair.alpha.look())
            elsewhere.append(_reconciles(bench, pair, apart))
            beside.append(_reconciles(bench, pair, bench.base))
        needs_fanotify(pair.alpha.look())
    yield paired(specs["foreign-changes"], beside, elsewhere)


def needs_fanotify(dataset: Mapping[str, object]) -> None:
    """Raises ``Unmeasurable`` unless the status of a dataset says that its primary is told of all changes on the filesystem."""
    watch = dataset.get("watch")
    kind, why = (watch["kind"], watch["why"]) if isinstance(watch, Mapping) else ("nothing", "it is not open")
    if kind != "fanotify":
        raise Unmeasurable(f"the primary watches by {kind}, which is told of nothing outside of the tree: {why}")


def must_be_reached(changes: int, seconds: float) -> float:
    """How many changes a second it were. Raises ``Failed`` for too few."""
    rate = changes / seconds
    if rate < FOREIGN_RATE * _REACHED:
        raise Failed(f"the other program made {rate:,.0f} changes/s of {FOREIGN_RATE:,}")
    return rate


def _reconciles(bench: Bench, pair: Pair, filesystem: Path) -> float:
    """Seconds of a reconcile while links change on ``filesystem``."""
    process, took = ours.process_id(pair.alpha), list[float]()
    with _changing(filesystem) as rates:
        before = processor_time(process)
        while sum(took) < _AT_LEAST:
            took.append(ours.reconcile(pair))
        used = (processor_time(process) - before) / len(took)
    seconds = statistics.mean(took)
    bench.say(
        f"{rates[0]:,.0f} changes/s in {filesystem.name}: {seconds:.3f} s, {used:.3f} s of the primary's processor time"
    )
    return seconds


@contextmanager
def _changing(filesystem: Path) -> Iterator[list[float]]:
    """The other program, as long as the block lasts; what it reached stands in the list afterwards. Raises ``Failed``."""
    rates: list[float] = []
    place = tempfile.mkdtemp(prefix="foreign-", dir=filesystem)
    words = (sys.executable, foreign_linker.__file__, place, str(FOREIGN_RATE))
    linker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        if linker.stdout is None or not linker.stdout.readline():
            raise Failed("the other program changes nothing")
        yield rates
        linker.send_signal(signal.SIGTERM)
        said, _ = linker.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            linker.kill()
        linker.wait()
        shutil.rmtree(place)
    if linker.returncode != 0:
        raise Failed(f"the other program ended with {linker.returncode}")
    rates.append(must_be_reached(**json.loads(said)))
