"""A primary that is killed under load, and its standby promoted: what status had said a second before, and what came."""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.agents import Pair
from fakes.eventually import eventually


@dataclass(frozen=True, slots=True)
class Killed:
    """``written``: each path of the load with the moment when it was whole (monotonic seconds); ``said``: the promotion in
    status, ``said_at`` when it was read; ``done``: the answer of promote; ``there``: paths that the new primary has."""

    written: dict[str, float]
    said: dict[str, Any]
    said_at: float
    done: dict[str, Any]
    there: set[str]

    @property
    def lost(self) -> list[str]:
        """What the load wrote and the new primary lacks."""
        return sorted(set(self.written) - self.there)

    def foretold(self, path: str) -> bool:
        """Whether the loss of a path is within what had been said: it was announced, or written in the window that was named,
        which goes on growing from the moment of the word."""
        return path in self.said["loss"]["paths"] or self.written[path] >= self.said_at - self.said["loss"]["seconds"]


class Load(threading.Thread):
    """Writes some files a second below ``root`` until it is stopped."""

    def __init__(self, root: Path, rate: float) -> None:
        super().__init__(name="load")
        self._root = root
        self._pause = 1 / rate
        self._stopped = threading.Event()
        self.written: dict[str, float] = {}

    def run(self) -> None:
        """See ``Thread``."""
        number = 0
        while not self._stopped.wait(self._pause):
            (self._root / f"n{number}").write_text(str(number))
            self.written[f"n{number}"] = time.monotonic()
            number += 1

    def stop(self) -> None:
        """No more is written."""
        self._stopped.set()
        self.join()


def kill_under_load(both: Pair, rng: random.Random) -> Killed:
    """Kill alpha at a random moment of 50 writes a second, and promote beta."""
    load = Load(both.source, 50)

    def foretold() -> tuple[float, dict[str, Any]] | None:
        """When it was asked, and what it says; nothing before alpha has told it up to when all is there."""
        at, said = time.monotonic(), both.beta.look()["promotion"]
        return (at, said) if said["loss"]["seconds"] is not None else None

    load.start()
    try:
        eventually(lambda: len(load.written) > rng.randint(20, 120))
        said_at, said = eventually(foretold)
        eventually(lambda: time.monotonic() - said_at > 1.0)
        both.alpha.kill()
    finally:
        load.stop()
    done = json.loads(both.beta.run("promote", "web", "--force", "--yes", "--json").stdout)
    there = {path.name for path in both.target.iterdir()}
    return Killed(load.written, said, said_at, done, there)
