"""What a job is given, and the runs of a peer beside ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bench.crew import Failed
from bench.figures import Row, Spec, paired, unmeasured
from bench.machine import Unmeasurable, of_the_other
from bench.memory import Memory
from bench.sizes import GIB, Sizes


@dataclass(frozen=True, slots=True)
class Bench:
    """``base``: a fresh directory on the filesystem in memory. ``memory``: that of the machine. ``ssh``: the command that reaches
    our own server; raises ``Unmeasurable``. ``say``: for whoever watches."""

    sizes: Sizes
    base: Path
    memory: Memory
    ssh: Callable[[], str]
    say: Callable[[str], None]

    @property
    def copy(self) -> Path:
        """Where a peer's copy of ``base / "source"`` goes."""
        return of_the_other(self.base) / "copy"

    def room(self) -> int:
        """Bytes that can still be put on the filesystem in memory."""
        place = os.statvfs(self.base)
        return min(place.f_bavail * place.f_frsize, self.memory.available())

    def need_room(self, count: int) -> None:
        """Raises ``Unmeasurable`` unless there is room in memory for ``count`` bytes."""
        if (room := self.room()) < count:
            raise Unmeasurable(f"it takes {count / GIB:.1f} GiB in memory; there is room for {room / GIB:.1f} GiB")


#: Measures and yields its rows, by the specs of their names. May raise ``Unmeasurable``, ``Failed``, or what a test would.
Job: TypeAlias = Callable[[Bench, Mapping[str, Spec]], Iterator[Row]]


@dataclass(slots=True)
class Beside:
    """Runs of one peer. Once it cannot be run it is left out, and ``reason`` says why."""

    figures: list[float] = field(default_factory=list)
    reason: str = ""

    def run(self, measure: Callable[[], float]) -> None:
        """One more run, unless one could not be."""
        if self.reason:
            return
        try:
            self.figures.append(measure())
        except (Unmeasurable, Failed) as error:
            self.reason = str(error)

    def row(self, spec: Spec, ours: Sequence[float], more: Beside | None = None) -> Row:
        """The row of these pairs; ``more``: what the peer does in addition, run by run."""
        reason = self.reason or (more.reason if more else "")
        if reason:
            return unmeasured(spec, reason, ours)
        peers = self.figures if more is None else [a + b for a, b in zip(self.figures, more.figures, strict=True)]
        return paired(spec, ours, peers)


def emptied(path: Path) -> Path:
    """``path``, with nothing there."""
    shutil.rmtree(path, ignore_errors=True)
    return path
