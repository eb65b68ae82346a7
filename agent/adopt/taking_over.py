"""What a standby asks about what stood at its path before it: a tree, or an image."""

from __future__ import annotations

from typing import Protocol


class TakesOver(Protocol):
    """For any thread, but :meth:`step`, which belongs to the applying one."""

    @property
    def ready(self) -> bool:
        """Whether it is known what stands there, so that the primary can be asked for the rest."""
        ...

    @property
    def at_work(self) -> bool:
        """Whether there is, or may be, something to do."""
        ...

    @property
    def seeds(self) -> bool:
        """Whether chunks lie there only, and in no vault."""
        ...

    @property
    def found(self) -> bool:
        """Whether anything that the primary has may be here already."""
        ...

    @property
    def read(self) -> tuple[int, int]:
        """Files, or chunks, that were read so far, and their bytes."""
        ...

    @property
    def left(self) -> tuple[int, int]:
        """Chunks that are still to be copied, and their bytes."""
        ...

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes that were copied since this agent was started, of how many."""
        ...

    def step(self, adopting: bool | None) -> bool:
        """A little work, if there is any; whether there is more. ``adopting``: whether the applier found something that is still
        to be taken over; None: it does not know yet."""
        ...

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        ...
