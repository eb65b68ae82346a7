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
from bench.machine import Unmeasurable, need_room, room
from bench.sizes import GIB, MIB
from fakes.agents import Pair

#: Of room in memory that a change must leave.
_MARGIN = 2 * GIB


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
    need_room(4 * size + size // 4 + 256 * MIB)
    source, copy = bench.base / "source", bench.base / "copy"
    workloads.large_file(source, size)
    with ours.agents(bench.base, source) as pair:
        bench.say(f"first sync: {ours.first_sync(pair):.2f} s")
        changes = _Changes(pair, bench.sizes.pieces, random.Random(11))
        rsync = _Rsync(bench, source, copy)
        rsync.begin()
        vault = 0
        for number in range(bench.sizes.large_runs):
            changes.one_more()
            vault = vault or ours.vault_bytes(pair)
            rsync.one_more()
            bench.say(f"change {number + 1}: hikae {changes.seconds[-1]:.2f} s, {changes.wire[-1] / MIB:,.1f} MiB")
        yield rsync.seconds.row(specs["scattered-change"], changes.seconds)
        rsync.wire.reason = rsync.seconds.reason
        yield rsync.wire.row(specs["scattered-change-wire"], changes.wire)
        emptied(copy)
        _go_on(bench, changes)
        yield paired(specs["second-change-wire"], changes.wire[1:], changes.changed[1:])
        yield _growth(specs["vault-growth"], ours.vault_bytes(pair) - vault, changes.changed[1:], bench)


def _go_on(bench: Bench, changes: _Changes) -> None:
    """Change on until there were as many as wanted after the first, or memory gets short."""
    while len(changes.changed) <= bench.sizes.vault_changes and room() > _MARGIN:
        changes.one_more()
        if len(changes.changed) % 10 == 0:
            bench.say(f"change {len(changes.changed)}: hikae {changes.seconds[-1]:.2f} s")


def _growth(spec: Spec, grown: int, changed: list[float], bench: Bench) -> Row:
    made = len(changed)
    if made < bench.sizes.vault_changes:
        spec = replace(spec, work=f"{spec.work} (memory was full after {made})")
    return paired(spec, [grown], [sum(changed)])


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
