"""An application that hooks start and stop, and that writes files all the time where it runs."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from fakes.agents import Pair


@dataclass(frozen=True, slots=True)
class Written:
    """``name``: of a file, whose content it is; ``at``: when it was whole (monotonic seconds)."""

    name: str
    at: float


class HookedClient:
    """Writes files at a rate below ``below`` (a directory in the tree of the node on which it runs) while it may: it runs where
    its start hook ran last, and nowhere once its stop hook ran. A context; nothing is written after it."""

    def __init__(self, both: Pair, rate: float = 50.0, below: str = "") -> None:
        self.written: list[Written] = []
        self._trees = {"alpha": both.source / below, "beta": both.target / below}
        self._gate = _gate(both)
        self._pause = 1 / rate
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._write, name="hooked-client")

    def __enter__(self) -> HookedClient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def longest_pause(self, since: float = 0.0) -> float:
        """The longest time between two writes from a moment on, in seconds."""
        times = [one.at for one in self.written if one.at >= since]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    def missing(self, tree: Path) -> list[str]:
        """What was written and does not stand below ``tree`` as it was."""
        return [one.name for one in self.written if not _stands(tree / one.name, one.name)]

    def _write(self) -> None:
        number = 0
        while not self._ends.wait(self._pause):
            node = self._gate.read_text() if self._gate.exists() else ""
            if node not in self._trees:
                continue
            name = f"w{number}"
            (self._trees[node] / name).write_text(name)
            self.written.append(Written(name, time.monotonic()))
            number += 1


def with_hooked_client(both: Pair) -> None:
    """Configure the hooks of agents that do not run; it runs on alpha first."""
    gate = _gate(both)
    # The application has written what it was at when its stop is done.
    hooks = (
        "[dataset.hooks]\n"
        f'start = ["sh", "-c", "printf $HIKAE_NODE >{gate}.new; mv {gate}.new {gate}"]\n'
        f'stop = ["sh", "-c", "rm -f {gate}; sleep 0.1"]\n'
    )
    for agent in both.agents:
        agent.config.write_text(agent.config.read_text() + hooks)
    gate.write_text("alpha")


def _gate(both: Pair) -> Path:
    """The file that names the node on which it runs; there is none while it is stopped."""
    return both.base / "runs-on"


def _stands(path: Path, content: str) -> bool:
    try:
        return path.read_text() == content
    except FileNotFoundError:
        return False
