"""Jobs: how long one write among many takes, until it is durable on the secondary and until the file is there."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path

from bench import ours
from bench.figures import Row, Spec, alone, percentile
from bench.job import Bench, Beside
from bench.live import Mirrored, lsyncd, syncthing
from bench.machine import ext4_on_disk
from bench.stream import CONTENT, Arrived, bare_syncs, lags
from fakes.agents import Pair

_DISK_MEBIBYTES = 2048
_BARE = 50


def durable_write(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Streams of writes to a disk, each with bare syncs in the same place before and after it."""
    over, middle, high, bare = [], [], [], []
    with ext4_on_disk(bench.base, _DISK_MEBIBYTES) as disk:
        source = disk / "source"
        (source / "w").mkdir(parents=True)
        with ours.agents(disk, source) as pair:
            ours.first_sync(pair)
            for run in range(bench.sizes.durable_runs):
                syncs = bare_syncs(disk, _BARE)
                found = _until_durable(bench, pair, [f"{run}-{number}" for number in range(bench.sizes.durable_writes)])
                bare.append(statistics.median(syncs + bare_syncs(disk, _BARE)))
                middle.append(percentile(found, 0.5))
                high.append(percentile(found, 0.99))
                over.append(middle[-1] - bare[-1])
                bench.say(
                    f"p50 {middle[-1] * 1000:.1f} ms, p99 {high[-1] * 1000:.1f} ms, bare {bare[-1] * 1000:.1f} ms"
                )
    yield alone(specs["durable-write-p50-over"], over, bare)
    yield alone(specs["durable-write-p50"], middle, bare)
    yield alone(specs["durable-write-p99"], high, bare)


def _until_durable(bench: Bench, pair: Pair, names: list[str]) -> list[float]:
    with closing(ours.DurableNames(pair, "w", len(CONTENT))) as look:
        return lags(pair.source / "w", names, bench.sizes.rate, look)


def lag(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """The same stream to our standby and through a peer, one after the other."""
    peers: dict[str, Callable[[Path], AbstractContextManager[Mirrored]]] = {
        "lag-lsyncd": lambda base: lsyncd(base, bench.ssh(), 1),
        "lag-lsyncd-default": lambda base: lsyncd(base, bench.ssh(), None),
        "lag-syncthing": syncthing,
    }
    source = bench.base / "source"
    source.mkdir()
    with ours.agents(bench.base, source) as pair:
        ours.first_sync(pair)
        for name, peer in peers.items():
            yield _beside(bench, specs[name], pair, peer)


def _beside(bench: Bench, spec: Spec, pair: Pair, peer: Callable[[Path], AbstractContextManager[Mirrored]]) -> Row:
    own: list[float] = []
    theirs = Beside()
    for run in range(bench.sizes.lag_runs):
        own.append(_our_lag(bench, pair, f"{spec.name}-{run}"))
        theirs.run(lambda: _peer_lag(bench, peer, bench.base / f"{spec.name}-{run}"))  # noqa: B023  it is run at once
        bench.say(f"{spec.peer_name}: {theirs.reason or f'{theirs.figures[-1]:.2f} s'}; hikae {own[-1] * 1000:.1f} ms")
    return theirs.row(spec, own)


def _our_lag(bench: Bench, pair: Pair, directory: str) -> float:
    (pair.source / directory).mkdir()
    ours.applied(pair)
    return _middle(bench, Mirrored(pair.source / directory, pair.target / directory))


def _peer_lag(bench: Bench, peer: Callable[[Path], AbstractContextManager[Mirrored]], base: Path) -> float:
    with peer(base) as mirrored:
        return _middle(bench, mirrored)


def _middle(bench: Bench, mirrored: Mirrored) -> float:
    names = [f"f{number}" for number in range(bench.sizes.lag_writes)]
    return percentile(lags(mirrored.source, names, bench.sizes.rate, Arrived(mirrored.target)), 0.5)
