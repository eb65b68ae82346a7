"""Work grows with what changed, not with what has been: small changes at a steady rate, and what they cost, quarter by quarter.

``HIKAE_SLOPES_SECONDS`` (of each quarter, and of each kind alone) and ``HIKAE_SLOPES_RATE`` (changes a second) may be given. A
share of some twenty seconds runs in `make test`, with checks that leave room for a busy machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Pair, pair
from fakes.changing import Changes, Cost, Meter, written_on
from fakes.loop_image import can_mount, disk
from fakes.proxy import Proxy

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
RATE = float(os.environ.get("HIKAE_SLOPES_RATE", "30"))
QUARTER = float(os.environ.get("HIKAE_SLOPES_SECONDS", "870" if WHOLE else "5"))
ALONE = float(os.environ.get("HIKAE_SLOPES_SECONDS", "300"))
SEED = 8
#: What one kind alone does; the mix is all of them.
KINDS = {
    "append-small": ("append-small",),
    "append-middle": ("append-middle",),
    "append-large": ("append-large",),
    "page": ("page",),
    "sqlite": ("sqlite",),
    "new-and-delete": ("new", "delete"),
}
MIX = tuple(kind for kinds in KINDS.values() for kind in kinds)
#: The last quarter costs at most so much of what the third did.
STEADY = 1.05
#: For each byte changed, and for each change: written on the standby's disk; on the wire, and in the vault.
DISK, CARRIED = (6.0, 32 << 10), (1.5, 300)
#: In `make test` only what is wrong by far fails.
ROOM = 1.0 if WHOLE else 4.0
_DISK_MIB = 24_576 if WHOLE else 2_048


@contextmanager
def measured() -> Iterator[tuple[Pair, Changes, Meter]]:
    """Two agents that are equal, the secondary with tree, vault and state on a disk of its own where there are such."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        root = stack.enter_context(disk(base, _DISK_MIB)).root if can_mount() and os.getuid() == 0 else None
        far = root or base
        both = stack.enter_context(pair(UNBRAKED, standby=far / "standby", states={"beta": far / "state"}))
        proxy = Proxy(both.beta.port)
        stack.callback(proxy.stop)
        proxy.start()
        both.reach_beta_through(proxy.port)
        changes = Changes(both.source, SEED)
        changes.prepare()
        alone(root)
        both.begin()
        yield both, changes, Meter(both, lambda: proxy.carried, root)


def spent(kind: str, before: Cost, after: Cost, count: int, changed: int) -> list[str]:
    """Prints what changes cost, per change; what is over its limit."""
    over = []
    line = f"{kind:15} {count / (after.at - before.at):5.1f}/s {changed / count:8.0f} B"
    sums = {
        "disk": (after.disk - before.disk, DISK),
        "wire": (after.wire - before.wire, CARRIED),
        "vault": (after.vault - before.vault, CARRIED),
    }
    for name, (total, (share, each)) in sums.items():
        most = share * changed + each * count
        line += f"  {name} {total / count:7.0f} of {most / count:7.0f}"
        if total > ROOM * most:
            over.append(f"{kind}: {name} {total / count:.0f} bytes a change, {most / count:.0f} are allowed")
    for name in after.processor:
        line += f"  {name} {100 * (after.processor[name] - before.processor[name]) / (after.at - before.at):4.1f} %"
    print(line, flush=True)
    return over


def alone(root: Path | None, count: int = 200) -> None:
    """Prints what the filesystem alone takes, beside which the rest is to be read: a line appended and synced each time."""
    if root is None:
        return
    before = written_on(root)
    with (root / "control").open("ab", buffering=0) as file:
        for _ in range(count):
            file.write(b"a line of a log, as long as they are\n" * 4)
            os.fdatasync(file.fileno())
    print(
        f"ext4 alone: {(written_on(root) - before) / count:.0f} bytes for a line that is appended and synced",
        flush=True,
    )


def by_quarter(costs: Sequence[Cost]) -> dict[str, list[float]]:
    """What each quarter took of the processors (percent of a core), and what is held at its end (KiB)."""
    spans = list(pairwise(costs))
    rows: dict[str, list[float]] = {}
    for name in costs[0].processor:
        rows[f"{name} processor"] = [100 * (b.processor[name] - a.processor[name]) / (b.at - a.at) for a, b in spans]
        rows[f"{name} memory"] = [b.memory[name] / 1024 for _, b in spans]
    for file in sorted(costs[-1].files):
        rows[file] = [b.files.get(file, 0) / 1024 for _, b in spans]
    return rows


def is_history(row: str) -> bool:
    """What grows by right: the vault, and the catalogs, which hold the commits of the last hours."""
    return row.endswith((".pack", "index.db", "catalog.db"))


@pytest.mark.timeout(5 * QUARTER + 600)
def test_an_hour_costs_in_its_last_quarter_what_it_cost_in_the_third() -> None:
    """Appends to small, middle and large logs, pages, rows, new and deleted files, half of it compressible."""
    with measured() as (both, changes, meter):
        print(f"{RATE:.0f} changes/s of {', '.join(MIX)}; quarters of {QUARTER:.0f} s; seed {SEED}")
        changes.steadily(MIX, RATE, min(QUARTER, 60))
        both.alpha.wait()
        costs, over = [meter.read()], []
        for _ in range(4):
            count, changed = changes.steadily(MIX, RATE, QUARTER)
            both.alpha.wait()
            costs.append(meter.read())
            over += spent("all", costs[-2], costs[-1], count, changed)
        rows = by_quarter(costs)
        for row, values in rows.items():
            print(f"{row:28}" + "".join(f"{value:12,.1f}" for value in values))
        grown = {row: values for row, values in rows.items() if values[3] > STEADY * values[2] and not is_history(row)}
        both.mirror()
        assert [] == over
        assert {} == (grown if WHOLE else {})


@pytest.mark.skipif(not (WHOLE or "HIKAE_SLOPES_SECONDS" in os.environ), reason="make soak")
@pytest.mark.timeout(len(KINDS) * (ALONE + 60) + 600)
def test_each_kind_alone_costs_what_it_changed() -> None:
    """Bytes on the standby's disk, on the wire and in the vault, by kind of change."""
    with measured() as (both, changes, meter):
        over: list[str] = []
        for kind, verbs in KINDS.items():
            changes.steadily(verbs, RATE, min(ALONE, 3))
            both.alpha.wait()
            before = meter.read()
            count, changed = changes.steadily(verbs, RATE, ALONE)
            both.alpha.wait()
            over += spent(kind, before, meter.read(), count, changed)
        both.mirror()
        assert [] == over
