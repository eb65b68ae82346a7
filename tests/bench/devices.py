"""A device with a filesystem that is written to at random while it is replicated: what the writer notices, and what travels."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.api.client import AdminClient
from agent.fs.thaw_guard import ThawGuard
from agent.operations.waiting import ReconcileRequest
from bench import ours
from bench.crew import Failed, finish
from bench.figures import Row, Spec, alone, paired
from bench.job import Bench
from bench.machine import Unmeasurable, program
from fakes.agents import UNBRAKED
from fakes.device_agents import DevicePair, device_pair
from fakes.written_disk import needs_tracepoints

#: Random writes of 4 KiB a second, into a file of so many MiB on a disk of so many.
RATE, WIRE_RATE = 3_000, 100
_FILE, _DISK = 128, 256
BLOCK = 4096
_HOOKS = UNBRAKED + '[dataset.hooks]\nstart = "none"\nstop = "none"\n'


@dataclass(frozen=True, slots=True)
class Written:
    """What fio says of itself. ``rate``: writes a second; ``p99``: seconds; ``writes``: how many."""

    rate: float
    p99: float
    writes: int


def device(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Each run writes without the agents, then with them; both share the machine."""
    if any(needs_tracepoints.args):
        raise Unmeasurable("block tracepoints need root, tracefs and loop devices")
    runs = [_run(bench) for _ in range(bench.sizes.track_runs)]
    yield paired(specs["device-rate"], [one.kept.rate * BLOCK for one in runs], [one.bare.rate * BLOCK for one in runs])
    yield paired(specs["device-p99"], [one.kept.p99 for one in runs], [one.bare.p99 for one in runs])
    yield alone(specs["device-freeze"], [one.frozen for one in runs])
    yield paired(specs["device-reconcile"], [one.look for one in runs], [one.dd for one in runs])
    yield paired(specs["device-wire"], [one.wire for one in runs], [one.scattered for one in runs])
    yield alone(specs["device-flat-out"], [one.flat_out for one in runs])


@dataclass(frozen=True, slots=True)
class _Run:
    """``frozen``: seconds beyond a bare freeze; ``look``, ``dd``: bytes a second; ``wire``: bytes on it for ``scattered`` bytes
    of pages that were written; ``flat_out``: bytes a second that were written and applied."""

    bare: Written
    kept: Written
    frozen: float
    look: float
    dd: float
    wire: float
    scattered: float
    flat_out: float


def _run(bench: Bench) -> _Run:
    seconds = bench.sizes.track_seconds
    with device_pair(_DISK << 20, extra=_HOOKS) as pair, _filled(pair) as file:
        bare = _fio(file, seconds, RATE)
        for agent in pair.agents:
            agent.start()
            agent.up()
        pair.alpha.wait(name="disk", within=300.0)
        kept = _fio(file, seconds, RATE)
        frozen = _frozen(pair, file.parent, bench.sizes.freezes)
        pair.alpha.wait(name="disk", within=300.0)
        look, dd = _looks(pair)
        wire, scattered = _wire(pair, file, seconds)
        began = time.monotonic()
        flat = _fio(file, seconds, 0)
        pair.alpha.wait(name="disk", within=600.0)
        flat_out = flat.writes * BLOCK / (time.monotonic() - began)
    bench.say(f"{kept.rate:.0f} of {bare.rate:.0f} writes/s, p99 {kept.p99 * 1000:.1f} of {bare.p99 * 1000:.1f} ms")
    return _Run(bare, kept, frozen, look, dd, wire, scattered, flat_out)


@contextmanager
def _filled(pair: DevicePair) -> Iterator[Path]:
    """A mounted filesystem with a file that is allocated whole."""
    finish(
        (
            program("mkfs.ext4"),
            "-q",
            "-F",
            "-b",
            str(BLOCK),
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            str(pair.source),
        )
    )
    where = pair.mount(pair.source)
    with (where / "data").open("wb") as file:
        for _ in range(_FILE):
            file.write(os.urandom(1 << 20))
        os.fsync(file.fileno())
    yield where / "data"


def _fio(file: Path, seconds: float, rate: int) -> Written:
    words = ["fio", "--name=w", f"--filename={file}", f"--size={_FILE}M", "--rw=randwrite", "--bs=4k", "--direct=1"]
    words += ["--ioengine=libaio", "--iodepth=8", f"--runtime={seconds:g}", "--time_based", "--output-format=json"]
    words += [f"--rate_iops={rate}"] if rate else []
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Unmeasurable("there is no fio") from error
    if done.returncode != 0:
        raise Failed(f"fio: {done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)["jobs"][0]["write"]
    return Written(told["iops"], told["clat_ns"]["percentile"]["99.000000"] / 1e9, told["total_ios"])


def _frozen(pair: DevicePair, where: Path, freezes: int) -> float:
    """How much longer the device stands still for a moment than its filesystem does for nothing: medians of some of each."""
    guard = ThawGuard(pair.base)
    took: list[float] = []
    bare: list[float] = []
    try:
        for _ in range(freezes):
            (where / "little").write_bytes(os.urandom(1 << 20))
            took.append(pair.alpha.json("generations", "take", "disk")["stood_still_ms"] / 1000)
            (where / "little").write_bytes(os.urandom(1 << 20))
            fd = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
            began = time.monotonic()
            with guard.frozen(fd, str(where), 10.0):
                pass
            bare.append(time.monotonic() - began)
            os.close(fd)
    finally:
        guard.close()
    return max(0.0, statistics.median(took) - statistics.median(bare))


def _looks(pair: DevicePair) -> tuple[float, float]:
    """Bytes a second of a reconcile, and of a plain read of the same device."""
    size, began = _DISK << 20, time.monotonic()
    AdminClient(str(pair.alpha.socket)).ask(ReconcileRequest("disk"))
    look = size / (time.monotonic() - began)
    began = time.monotonic()
    finish((program("dd"), f"if={pair.source}", "of=/dev/null", "bs=1M", "iflag=direct", "status=none"))
    return look, size / (time.monotonic() - began)


def _wire(pair: DevicePair, file: Path, seconds: float) -> tuple[float, float]:
    """Bytes on the wire, both ways, and bytes of the pages that were written."""
    before = ours.wire(pair)
    written = _fio(file, seconds, WIRE_RATE)
    pair.alpha.wait(name="disk", within=300.0)
    return float(ours.wire(pair).since(before)), float(written.writes * BLOCK)
