"""What the applier of a device asks of its neighbours, and how much it takes at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.apply.bounds import VerifyLimits
from agent.apply.ports import CatalogView, ReadChunk, ReadPatch
from agent.core.ids import ChunkNumber, CommitNumber


class DeviceView(CatalogView, Protocol):
    """A device's rows at any moment; used by one thread. ``at`` None is the newest sealed commit."""

    def last_chunk(self, at: CommitNumber | None = None) -> bytes | None: ...

    def next_chunk(self, first: ChunkNumber) -> ChunkNumber | None: ...

    def chunks_within(self, first: ChunkNumber, last: ChunkNumber, at: CommitNumber) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class DeviceSupply:
    """Where rows and bytes come from. ``reader`` opens a catalog reader for the applying thread."""

    reader: Callable[[], DeviceView]
    read: ReadChunk
    patch_of: ReadPatch


_USUAL_VERIFY = VerifyLimits()


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """``run``: chunks that are written, or compared, in one call; ``differences``: extents that a verify lists, and does not only
    count; ``verify``: see there, ``changed`` counts chunks. ``beginning``, ``sample``: so many of the first chunks, and of all,
    are compared when the device is opened."""

    run: int = 64
    beginning: int = 16
    sample: int = 48
    differences: int = 1000
    verify: VerifyLimits = _USUAL_VERIFY


#: What production takes.
USUAL_DEVICE = DeviceLimits()
