"""What every tracker of a device's changes promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol


class DirtyExtent(NamedTuple):
    """Bytes of the tracked device that may have changed, from its own beginning: half-open."""

    start: int
    end: int


class Dirtied(NamedTuple):
    """What may have changed since the take before.

    ``extents``: clipped to the device, merged, sorted. ``reconcile``: None where they are all there is; else why everything must
    be read, a clause for people."""

    extents: tuple[DirtyExtent, ...]
    reconcile: str | None


class BlockTracker(Protocol):
    """Tracks one device or one raw image file.

    - The first take after ``start`` asks for a reconcile, unless the map that was saved at a clean stop could be used.
    - Every byte that was written by a system call that had ended before ``take`` was called, and that reached the device (a
      buffered write does with its write-back), is in what this or an earlier take returned.
    - A write that is under way while a take returns is told again by a later one, once it is complete.
    - What ``take`` returned belongs to the caller, who gives back by ``restore`` what could not be read.
    - ``take``, ``restore``, ``audit`` may be called from any thread. ``start``, ``save`` and ``stop`` from one, in this order.
    """

    kind: str
    """``blocktrace``, ``events`` (a raw image file) or ``none``: public."""
    why: str
    """Why this kind: a clause for status."""

    @property
    def overflows(self) -> int:
        """How often events were lost; each time the next take asked for a reconcile."""
        ...

    @property
    def waiting(self) -> int:
        """About how many bytes wait to be taken, as far as they were noted; 0 where nothing tells where. Any thread."""
        ...

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to track. ``wake``: something is dirty; called at most once between two takes, by the tracker's thread, and it
        must not call the tracker."""
        ...

    def take(self) -> Dirtied:
        """Drain what the kernel queued before this call, return it, and begin anew."""
        ...

    def restore(self, dirtied: Dirtied) -> None:
        """What was taken and could not be read is owed again."""
        ...

    def audit(self) -> str | None:
        """To be called about once a minute: why changes are not tracked, a clause for people; None while all is well.

        A difference makes the next take ask for a reconcile."""
        ...

    def save(self, path: Path) -> None:
        """At a clean stop, instead of ``stop``: keep what is owed, and let the kernel go on noting. The file is used once."""
        ...

    def stop(self) -> None:
        """End; the thread is gone and the kernel notes nothing more when it returns. More than once does no harm."""
        ...
