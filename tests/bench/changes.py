"""Job: a large file that changes in place, a little and everywhere."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import copies, ours, workloads
from bench.crew import Failed
from bench.figures import Row, Spec, paired
from bench.job import Bench, Beside, emptied
from bench.machine import Unmeasurable
from bench.sizes import MIB
from fakes.agents import Pair


@dataclass(slots=True)
class _Changes:
    """Every change so far: seconds until applied on the secondary, bytes on the wire, bytes changed."""

    pair: Pair
    pieces: int
    generator: random.Random
    seconds: list[float] = field(default_factory=list)
    wire: list[float] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)

    def one_more(self) -> None:
        """Change the file; the time counts from before the first piece is written."""
        before = ours.wire(self.pair)
        begun = time.monotonic()
        self.changed.append(workloads.change_scattered(self.pair.source / "large", self.pieces, self.generator))
        ours.applied(self.pair)
        self.seconds.append(time.monotonic() - begun)
        self.wire.append(ours.wire(self.pair).since(before))


def scattered(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """Pairs of ours and rsync for the same change; then more changes, for the vault."""
    size = bench.sizes.large_bytes
    bench.need_room(4 * size + size // 4 + 256 * MIB)
    source, copy = bench.base / "source", bench.copy
    workloads.large_file(source, size)
    with ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        changes = _Changes(pair, bench.sizes.pieces, random.Random(11))
        rsync = _Rsync(bench, source, copy)
        rsync.begin()
        vault = _pairs(bench, changes, rsync)
        rsync.wire.reason = rsync.seconds.reason
        wanted = bench.sizes.large_runs
        yield rsync.seconds.row(_of(specs["scattered-change"], len(changes.seconds), wanted), changes.seconds)
        yield rsync.wire.row(_of(specs["scattered-change-wire"], len(changes.seconds), wanted), changes.wire)
        emptied(copy)
        _go_on(bench, changes)
        yield from _later(bench, specs, changes, ours.vault_bytes(pair) - vault)


def _pairs(bench: Bench, changes: _Changes, rsync: _Rsync) -> int:
    """As many pairs as wanted, or as memory has room for; what the vault took after the first change."""
    vault = 0
    for number in range(bench.sizes.large_runs):
        if number and not _has_room(bench):
            break
        changes.one_more()
        vault = vault or ours.vault_bytes(changes.pair)
        rsync.one_more()
        bench.say(f"change {number + 1}: hikae {changes.seconds[-1]:.2f} s, {changes.wire[-1] / MIB:,.1f} MiB")
    return vault


def _go_on(bench: Bench, changes: _Changes) -> None:
    """Change on until there were as many as wanted after the first, or memory gets short."""
    while len(changes.changed) <= bench.sizes.vault_changes and _has_room(bench):
        changes.one_more()
        if len(changes.changed) % 10 == 0:
            bench.say(f"change {len(changes.changed)}: hikae {changes.seconds[-1]:.2f} s")


def _later(bench: Bench, specs: Mapping[str, Spec], changes: _Changes, grown: int) -> Iterator[Row]:
    """The rows of all changes but the first; ``grown``: bytes by which the vault did over them."""
    wire, changed = changes.wire[1:], changes.changed[1:]
    if not changed:
        return
    yield paired(specs["second-change-wire"], wire, changed)
    spec = _of(specs["vault-growth"], len(changed), bench.sizes.vault_changes)
    yield paired(spec, [grown], [sum(changed)])


def _has_room(bench: Bench) -> bool:
    """Whether one more change fits into memory, even if half of the file is stored anew for it."""
    return bench.room() > bench.sizes.large_bytes * 5 // 8


def _of(spec: Spec, made: int, wanted: int) -> Spec:
    """The row, saying so when there were fewer changes than wanted."""
    return spec if made >= wanted else replace(spec, work=f"{spec.work} (memory was full after {made})")


class _Rsync:
    """rsync's copy of the same file, brought up to date after every change."""

    def __init__(self, bench: Bench, source: Path, copy: Path) -> None:
        self.seconds, self.wire = Beside(), Beside()
        self._bench, self._source, self._copy = bench, source, copy

    def begin(self) -> None:
        """Make the copy, before the first change."""
        try:
            copies.rsync(self._bench.ssh(), self._source, self._copy)
        except (Unmeasurable, Failed) as error:
            self.seconds.reason = self.wire.reason = str(error)

    def one_more(self) -> None:
        """Bring the copy up to date."""
        self.seconds.run(self._update)

    def _update(self) -> float:
        done = copies.rsync(self._bench.ssh(), self._source, self._copy, "--inplace", "--no-whole-file")
        self.wire.figures.append(done.wire)
        return done.seconds
