"""Job: history mounted as a filesystem, beside restic's mount and our own restore."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import ours, workloads
from bench.crew import Failed, finish, peak_memory, running, until
from bench.figures import Row, Spec, alone, paired
from bench.job import Bench, Beside
from bench.machine import Unmeasurable, program
from bench.sizes import MIB
from fakes.agents import REPOSITORY, Agent, Pair

_READERS = 8
_JUMPS = 20


def mount(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """A large file, eight that are as large together, and a directory of very many names, in a generation."""
    if not os.access("/dev/fuse", os.W_OK):
        raise Unmeasurable("there is no /dev/fuse to be used")
    bench.need_room(8 * bench.sizes.mount_bytes + 256 * MIB)
    source, there = bench.base / "source", bench.base / "mounted"
    there.mkdir()
    _fill(source, bench)
    copied, readers, jumps, memory = list[float](), list[float](), list[float](), list[float]()
    own, restored, single, listed = list[float](), list[float](), list[float](), list[float]()
    with ours.agents(bench.base, source) as pair:
        ours.first_sync(pair)
        pair.beta.json("generations", "take", "web", "--json")
        for _ in range(bench.sizes.mount_runs):
            own.append(_rate(bench, pair.beta, there, ["large"]))
            with _mounted(pair.beta, there) as (top, _):
                copied.append(_copied(top / "large", bench.copy.with_name("copied")))
            restored.append(_restored(bench, pair))
            parts = [f"part{number}" for number in range(_READERS)]
            single.append(_rate(bench, pair.beta, there, parts))
            readers.append(_rate(bench, pair.beta, there, parts, at_once=True))
            with _mounted(pair.beta, there) as (top, process):
                jumps += [_first_byte(top, random.randrange(bench.sizes.mount_bytes // 2)) for _ in range(_JUMPS)]
                listed.append(_seconds(["ls", "-l", str(top / "many")]))
                _read([top / "large"])
                memory.append(float(peak_memory(process)))
            bench.say(f"read {own[-1] / MIB:.0f} MiB/s, copied in {copied[-1]:.2f} s, listed in {listed[-1]:.2f} s")
    read, names = Beside(), Beside()
    _beside_restic(bench, source, read, names)
    yield read.row(specs["mount-read"], own)
    yield paired(specs["mount-copy"], copied, restored)
    yield paired(specs["mount-readers"], readers, single)
    yield alone(specs["mount-first-byte"], jumps)
    yield names.row(specs["mount-names"], listed)
    yield alone(specs["mount-memory"], memory)


def _fill(source: Path, bench: Bench) -> None:
    workloads.large_file(source, bench.sizes.mount_bytes)
    for number in range(_READERS):
        (source / f"part{number}").write_bytes(os.urandom(bench.sizes.mount_bytes // _READERS))
    (source / "many").mkdir()
    for number in range(bench.sizes.mount_names):
        (source / "many" / f"file-{number:06d}").write_bytes(b"%d" % number)


@contextmanager
def _mounted(agent: Agent, there: Path) -> Iterator[tuple[Path, int]]:
    """The newest generation of a mount that nobody has read from, and its process."""
    words = (*agent.program, "--config", str(agent.config), "mount", "web", str(there))
    with running(words, there.parent / "mount.log", {"PYTHONPATH": str(REPOSITORY)}) as process:
        until(lambda: os.path.ismount(there) or process.poll() is not None, "hikae mount")
        if process.poll() is not None:
            raise Failed(f"hikae mount ended: {(there.parent / 'mount.log').read_text()[-300:]}")
        yield there / "latest", process.pid
    until(lambda: not os.path.ismount(there), "hikae's mount is gone")


def _rate(bench: Bench, agent: Agent, there: Path, names: list[str], at_once: bool = False) -> float:
    """Bytes a second of reading these, from beginning to end, from a fresh mount."""
    with _mounted(agent, there) as (top, _):
        return bench.sizes.mount_bytes / _read([top / name for name in names], at_once)


def _read(paths: list[Path], at_once: bool = False) -> float:
    begun = time.monotonic()
    for group in [paths] if at_once else [[path] for path in paths]:
        readers = [subprocess.Popen(["cat", str(path)], stdout=subprocess.DEVNULL) for path in group]
        ended = [reader.wait() for reader in readers]
        if any(ended):
            raise Failed("a file of a mount could not be read")
    return time.monotonic() - begun


def _restored(bench: Bench, pair: Pair) -> float:
    target = bench.copy.with_name("restored")
    words = (*pair.beta.program, "--config", str(pair.beta.config), "restore", "web", "--generation", "latest")
    try:
        return _seconds([*words, "--to", str(target), "large"], {"PYTHONPATH": str(REPOSITORY)})
    finally:
        target.unlink(missing_ok=True)


def _copied(path: Path, target: Path) -> float:
    try:
        return _seconds(["cp", str(path), str(target)])
    finally:
        target.unlink(missing_ok=True)


def _seconds(words: list[str], environment: Mapping[str, str] | None = None) -> float:
    begun = time.monotonic()
    finish(words, environment)
    return time.monotonic() - begun


def _first_byte(top: Path, offset: int) -> float:
    begun = time.monotonic()
    with (top / "large").open("rb", buffering=0) as file:
        os.pread(file.fileno(), 1, offset)
    return time.monotonic() - begun


def _beside_restic(bench: Bench, source: Path, read: Beside, names: Beside) -> None:
    there, repository = bench.base / "restic-mounted", str(bench.base / "restic")
    there.mkdir()
    settings = {"RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(bench.base / "restic-cache")}
    try:
        words = (program("restic"), "--quiet", "--repo", repository)
        finish((*words, "init"), settings)
        finish((*words, "backup", str(source)), settings)
    except (Unmeasurable, Failed) as error:
        read.reason = names.reason = str(error)
        return
    for _ in range(bench.sizes.mount_runs):
        with running((*words, "mount", str(there)), bench.base / "restic.log", settings):
            until(lambda: os.path.ismount(there), "restic mount")
            top = there / "snapshots" / "latest" / str(source).lstrip("/")
            read.run(partial(_restic_rate, bench, top / "large"))
            names.run(partial(_seconds, ["ls", "-l", str(top / "many")]))
        subprocess.run(["umount", "-l", str(there)], check=False, capture_output=True)


def _restic_rate(bench: Bench, path: Path) -> float:
    return bench.sizes.mount_bytes / _read([path])
