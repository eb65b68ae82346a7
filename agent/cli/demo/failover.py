"""The demonstration's end: the primary is killed, its standby serves, the old one comes back, and both change places again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.demo.agents import DATASET, Agent
from agent.cli.demo.history import WORDS
from agent.cli.demo.tree import burst
from agent.operations.declaration import Json
from agent.operations.role_changes.promoting import PromoteRequest
from agent.operations.role_changes.switching import SwitchoverRequest
from agent.status.figures import span_text

_WRITES = 20


@dataclass(slots=True)
class Failover:
    """The two agents, alpha the primary, with their trees. ``compare``: what differs between two trees, found without hikae's
    code; ``wait``: until all that was written on an agent's tree is on the other's, with a word for the progress; ``until``:
    alpha's status of the dataset is so; ``looks``: how often gates are looked at again before one that is not met is overridden,
    ``look_seconds`` apart. ``lost_changes``: paths that the killed primary had and the promoted standby has not; ``rto_ms``:
    milliseconds that the promotion took, by its own steps; ``differences``: between the trees at the end."""

    alpha: Agent
    beta: Agent
    trees: tuple[Path, Path]
    tell: Callable[[str, str], None]
    compare: Callable[[str, str], list[str]]
    wait: Callable[[Agent, str], None]
    until: Callable[[Callable[[Json], bool]], None]
    looks: int = 20
    look_seconds: float = 0.5
    promoted: bool = False
    lost_changes: int | None = None
    rto_ms: int | None = None
    differences: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(20261129))
    _pause: threading.Event = field(default_factory=threading.Event)

    def play(self, *, source_is_foreign: bool) -> None:
        """All of it; a foreign source is not written, so its story ends with the promotion."""
        if not source_is_foreign:
            self._write(0, self.alpha)
        self.alpha.kill()
        self.tell(
            "kill -9", "the primary, for good" if source_is_foreign else "the primary, right after the last write"
        )
        self.promote()
        if not source_is_foreign:
            self._rejoin()
            self._switch_back()

    def promote(self) -> None:
        """The standby takes over; what of the killed one it has not is counted."""
        forced = self._gates("gates", lambda: self.beta.client().ask(PromoteRequest(DATASET, dry_run=True)))
        done = self.beta.typed("promote", DATASET, *WORDS, *forced)
        self.promoted, self.rto_ms = done["role"] == "primary", done["rto_ms"]
        self.lost_changes = len(self._compared())
        took = f"{self.beta.name} is the primary, in epoch {done['epoch']}, after {span_text(done['rto_ms'] / 1000)}"
        self.tell("promote", f"{took}; of what the killed one had, {self.lost_changes:,} changes are lost")

    def _rejoin(self) -> None:
        self._write(1)
        self.alpha.start()
        self.until(lambda dataset: dataset["state"] == "fenced")
        began = time.monotonic()
        done = self.alpha.typed("rejoin", DATASET, *WORDS)
        self.wait(self.beta, "rejoin")
        self._same("rejoin", f"the old primary is the standby; {len(done['lost']):,} paths stood only there", began)

    def _switch_back(self) -> None:
        began = time.monotonic()
        took = self.hand_over()
        self._write(0)
        self.wait(self.alpha, "switchover")
        self._same("switchover", f"{self.alpha.name} is the primary again ({took})", began)

    def hand_over(self) -> str:
        """Both change places, so that alpha is the primary again; how long that took, in words."""
        self.until(lambda dataset: dataset["state"] != "seeding")
        asked = SwitchoverRequest(DATASET, self.alpha.name, dry_run=True)
        forced = self._gates("gates", lambda: self.beta.client().ask(asked))
        began = time.monotonic()
        self.beta.typed("switchover", DATASET, "--to", self.alpha.name, *WORDS, *forced)
        self.until(lambda dataset: dataset["role"] == "primary")
        return span_text(time.monotonic() - began)

    def _gates(self, step: str, plan: Callable[[], Json]) -> tuple[str, ...]:
        """Tells what stands in the way, once nothing does or nothing more changes. What overrides it."""
        gates = plan()["gates"]
        for _ in range(self.looks):
            if all(gate["ok"] for gate in gates):
                break
            self._pause.wait(self.look_seconds)
            gates = plan()["gates"]
        unmet = [gate for gate in gates if not gate["ok"]]
        named = "".join(f"; not met: {gate['name']} ({gate['value']}), overridden" for gate in unmet)
        self.tell(step, f"{len(gates) - len(unmet)} of {len(gates)} are met{named}")
        return ("--force",) if unmet else ()

    def _write(self, tree: int, waits_on: Agent | None = None) -> None:
        """New files in one of the trees; ``waits_on``: each is on the other node before the next is written."""
        place = self.trees[tree] / f"written in turn {len(list(self.trees[tree].glob('written in turn *')))}"
        for _ in burst(place, self.chance, _WRITES):
            if waits_on is not None:
                self.wait(waits_on, "the last writes")

    def _same(self, step: str, words: str, began: float) -> None:
        found = self._compared()
        self.differences += found
        equal = f"{len(found):,} differences" if found else "content and metadata equal"
        self.tell(step, f"{words}: {equal} ({span_text(time.monotonic() - began)})")

    def _compared(self) -> list[str]:
        return self.compare(*map(str, self.trees))
