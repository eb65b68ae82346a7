"""How much the vault keeps at once, in memory and unsynced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VaultLimits:
    """``pack``: bytes of a pack, after which the next is begun. ``cache``: bytes of chunks that are kept for the applier.

    ``pending``: index entries that may wait in memory for a sync. ``flush``: entries that are worth a transaction; fewer wait,
    and are found in the packs after a crash. ``unsynced``: bytes that may wait in the system to be written out, for which the
    sync of a small commit has to wait. ``pins``: names of one owner that are remembered one by one (about 25 MiB); where it
    names more, whatever is here stays meanwhile."""

    pack: int = 1 << 30
    cache: int = 64 << 20
    pending: int = 50_000
    flush: int = 20_000
    unsynced: int = 64 << 20
    pins: int = 200_000


DEFAULT = VaultLimits()
