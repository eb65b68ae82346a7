"""Job: very many files that do not change: what looking at all of them costs, in time and in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import copies, ours, workloads
from bench.crew import Failed, peak_memory
from bench.figures import Row, Spec, alone
from bench.job import Bench, Beside

#: In memory, for a file: its inode on both sides and its rows in both catalogs and their logs.
_A_FILE = 4096


def many(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """One first sync, then reconciles in pairs with rsync, which compares the source with our standby; and peaks of memory."""
    bench.need_room(bench.sizes.many_files * _A_FILE)
    source = bench.base / "source"
    workloads.empty_files(source, bench.sizes.many_files)
    with ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        # One that is not counted: what was young when it was read is read once more.
        ours.reconcile(pair)
        own: list[float] = []
        rsync = Beside()
        for _ in range(bench.sizes.many_runs):
            own.append(ours.reconcile(pair))
            rsync.run(lambda: _nothing_to_do(bench.ssh(), source, pair.target))
            bench.say(f"hikae {own[-1]:.2f} s; rsync: {rsync.reason or f'{rsync.figures[-1]:.2f} s'}")
        yield rsync.row(specs["reconcile-unchanged"], own)
        for name, agent in (("memory-primary", pair.alpha), ("memory-secondary", pair.beta)):
            yield alone(specs[name], [peak_memory(ours.process_id(agent))])


def _nothing_to_do(ssh: str, source: Path, target: Path) -> float:
    done = copies.rsync(ssh, source, target)
    if done.files:
        raise Failed(f"rsync found {done.files} files to copy where there should be none")
    return done.seconds
