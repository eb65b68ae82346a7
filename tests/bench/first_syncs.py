"""Jobs: first syncs beside programs that copy and programs that keep history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import copies, ours, workloads
from bench.bare_stream import bare_stream
from bench.figures import Row, Spec
from bench.job import Bench, Beside, emptied
from bench.sizes import MIB


def small(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Many small files: ours, rsync, restic of rsync's copy, borg of the same copy, over and over."""
    source, copy = bench.base / "source", bench.copy
    workloads.small_files(source, bench.sizes.small_files)
    own: list[float] = []
    rsync, restic, borg = Beside(), Beside(), Beside()
    for _ in range(bench.sizes.small_runs):
        bench.memory.ready()
        own.append(ours.one_first_sync(bench.base, source))
        emptied(copy)
        bench.memory.ready()
        rsync.run(lambda: copies.rsync(bench.ssh(), source, copy).seconds)
        restic.run(lambda: copies.restic(bench.base, _either(copy, source)))
        borg.run(lambda: copies.borg(bench.base, _either(copy, source)))
        bench.say(f"hikae {own[-1]:.2f} s; rsync, restic, borg: {_last(rsync)}, {_last(restic)}, {_last(borg)}")
    yield rsync.row(specs["first-sync-small"], own)
    yield rsync.row(specs["first-sync-small-and-backup"], own, restic)
    yield restic.row(specs["first-sync-small-restic"], own)
    yield borg.row(specs["first-sync-small-borg"], own)


def large(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """One large file: ours, rsync, and gRPC with nothing but bytes, over and over."""
    size = bench.sizes.large_bytes
    bench.need_room(3 * size + size // 8 + 256 * MIB)
    source, copy = bench.base / "source", bench.copy
    workloads.large_file(source, size)
    own: list[float] = []
    rsync, bare = Beside(), Beside()
    with ExitStack() as stack:
        stream = stack.enter_context(bare_stream(bench.base / "bare"))
        for _ in range(bench.sizes.large_runs):
            bench.memory.ready()
            own.append(ours.one_first_sync(bench.base, source))
            emptied(copy)
            bench.memory.ready()
            rsync.run(lambda: copies.rsync(bench.ssh(), source, copy).seconds)
            emptied(copy)
            bare.run(lambda: stream.seconds(size))
            bench.say(f"hikae {own[-1]:.2f} s; rsync, bare stream: {_last(rsync)}, {_last(bare)}")
    yield rsync.row(specs["first-sync-large"], own)
    bare.figures = [size / seconds for seconds in bare.figures]
    yield bare.row(specs["first-sync-large-rate"], [size / seconds for seconds in own])


def _either(copy: Path, source: Path) -> Path:
    """What is backed up: rsync's copy, or without rsync the source, which is the same."""
    return copy if copy.exists() else source


def _last(peer: Beside) -> str:
    return peer.reason or f"{peer.figures[-1]:.2f} s"
