"""How large the work is, in full and in the quick version. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Sizes:
    """``hold_memory``: see ``bench.memory``.

    ``small_runs`` and ``large_runs``: pairs of runs up to and above 1 GiB. Sizes in bytes, rates in writes a second; ``changes``:
    files that are changed before an old primary rejoins; ``freezes``: moments of a device, of which a node gives one a
    minute; ``days``: generations of a store, one a day; ``busy_seconds``: for which one page is written again and again."""

    quick: bool
    hold_memory: bool
    small_files: int
    small_runs: int
    large_bytes: int
    large_runs: int
    changed_part: float
    vault_changes: int
    many_files: int
    many_runs: int
    rate: int
    durable_writes: int
    durable_runs: int
    lag_writes: int
    lag_runs: int
    expiry_files: int
    expiry_runs: int
    mount_bytes: int
    mount_names: int
    mount_runs: int
    role_runs: int
    changes: int
    track_seconds: float
    track_runs: int
    freezes: int
    days: int
    busy_seconds: float
    busy_runs: int
    foreign_runs: int

    @property
    def pieces(self) -> int:
        """How many pieces of 4 KiB one change rewrites."""
        return max(1, round(self.large_bytes * self.changed_part / 4096))


FULL = Sizes(
    quick=False,
    hold_memory=True,
    small_files=50_000,
    small_runs=5,
    large_bytes=4 * GIB,
    large_runs=3,
    changed_part=0.01,
    vault_changes=100,
    many_files=1_000_000,
    many_runs=5,
    rate=100,
    durable_writes=1_000,
    durable_runs=5,
    lag_writes=300,
    lag_runs=3,
    expiry_files=200_000,
    expiry_runs=3,
    mount_bytes=GIB,
    mount_names=100_000,
    mount_runs=3,
    role_runs=3,
    changes=1_000,
    track_seconds=20.0,
    track_runs=3,
    freezes=5,
    days=30,
    busy_seconds=30.0,
    busy_runs=3,
    foreign_runs=5,
)
QUICK = Sizes(
    quick=True,
    hold_memory=True,
    small_files=5_000,
    small_runs=2,
    large_bytes=256 * MIB,
    large_runs=2,
    changed_part=0.01,
    vault_changes=5,
    many_files=20_000,
    many_runs=2,
    rate=100,
    durable_writes=300,
    durable_runs=2,
    lag_writes=100,
    lag_runs=1,
    expiry_files=20_000,
    expiry_runs=2,
    mount_bytes=256 * MIB,
    mount_names=5_000,
    mount_runs=2,
    role_runs=2,
    changes=1_000,
    track_seconds=5.0,
    track_runs=1,
    freezes=1,
    days=30,
    busy_seconds=20.0,
    busy_runs=1,
    foreign_runs=3,
)


def size_in_words(count: int) -> str:
    """Bytes as ``4 GiB`` or ``256 MiB``."""
    return f"{count // GIB} GiB" if count % GIB == 0 else f"{count // MIB} MiB"
