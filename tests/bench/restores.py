"""Jobs: a generation brought back, beside what restic and borg bring back of the same tree."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from bench import copies, ours, workloads
from bench.crew import Failed, finish
from bench.figures import Row, Spec
from bench.job import Bench, Beside, emptied
from bench.machine import Unmeasurable
from bench.sizes import MIB
from fakes.agents import REPOSITORY, Pair

#: Brings all of it back into a directory that is not there; seconds.
Restore = Callable[[Path], float]


def restore_small(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Many small files."""
    workloads.small_files(bench.base / "source", bench.sizes.small_files)
    yield from _restores(bench, specs, "restore-small", bench.sizes.small_runs)


def restore_large(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """One large file. The source and the standby go before anything is restored, since all stands in memory."""
    size = bench.sizes.large_bytes
    bench.need_room(4 * size + size // 4 + 256 * MIB)
    workloads.large_file(bench.base / "source", size)
    yield from _restores(bench, specs, "restore-large", bench.sizes.large_runs)


def _restores(bench: Bench, specs: Mapping[str, Spec], name: str, runs: int) -> Iterator[Row]:
    source, copy = bench.base / "source", bench.copy
    own, peers = list[float](), {"restic": Beside(), "borg": Beside()}
    with ExitStack() as stack, ours.agents(bench.base, source) as pair:
        ours.first_sync(pair)
        pair.beta.json("generations", "take", "web")
        pair.stop()
        shutil.rmtree(pair.target)
        restores = {
            "restic": _kept(stack, peers["restic"], copies.restic_kept(bench.base, source)),
            "borg": _kept(stack, peers["borg"], copies.borg_kept(bench.base, source)),
        }
        expected = workloads.counted(source)
        shutil.rmtree(source)
        for _ in range(runs):
            bench.memory.ready()
            own.append(_restored(pair, emptied(copy)))
            if expected != workloads.counted(copy):
                raise Failed(f"of {expected} (files, bytes) {workloads.counted(copy)} were restored")
            for peer, restore in restores.items():
                emptied(copy)
                bench.memory.ready()
                peers[peer].run(lambda restore=restore: restore(copy))  # type: ignore[misc]  # a default binds it
            emptied(copy)
            bench.say(f"hikae {own[-1]:.2f} s; " + ", ".join(f"{peer} {_last(one)}" for peer, one in peers.items()))
    for peer, beside in peers.items():
        yield beside.row(specs[f"{name}-{peer}"], own)


def _kept(stack: ExitStack, beside: Beside, repository: AbstractContextManager[Restore]) -> Restore:
    """How a peer restores from its repository; where there can be none, that is said once."""
    try:
        return stack.enter_context(repository)
    except (Unmeasurable, Failed) as error:
        beside.reason = str(error)
        return lambda _: 0.0


def _restored(pair: Pair, to: Path) -> float:
    """Seconds of the command, start and all. Raises :class:`Failed`."""
    words = (*pair.beta.program, "--config", str(pair.beta.config), "restore", "web", "--generation", "latest")
    begun = time.monotonic()
    finish((*words, "--to", str(to)), {"PYTHONPATH": str(REPOSITORY)})
    return time.monotonic() - begun


def _last(peer: Beside) -> str:
    return peer.reason or f"{peer.figures[-1]:.2f} s"
