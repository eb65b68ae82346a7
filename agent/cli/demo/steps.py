"""The demonstration, step by step. Each step does one thing to the two agents and tells one line about it."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.cli.demo import history
from agent.cli.demo.agents import DATASET, Agent
from agent.cli.demo.compare import compare_trees
from agent.cli.demo.failover import Failover
from agent.cli.demo.tree import build_tree, burst, live_edits, measure
from agent.cli.output import progress_shown
from agent.core.errors import HikaeError, TryAgain, Unreachable
from agent.operations.declaration import Json, Reached
from agent.operations.reading import StatusRequest
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import ReconcileRequest, WaitRequest
from agent.status.figures import size_text, span_text

_PATIENCE = 120.0
_POLL = 0.5

#: Tells one step: its name, and what came out of it.
Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class StoryLength:
    """How many edits are made one by one, in at most so many seconds, and how many files at once."""

    edits: int = 100
    edit_seconds: float = 8.0
    burst: int = 1000


@dataclass(slots=True)
class Story:
    """The two agents, the two trees, and what was found. ``source_is_foreign``: it is the user's own and only read;
    ``compare``: what differs between two trees, found without hikae's code; ``restore``: brings a generation back, or one path
    of it; ``roll_back``: makes the source as it was in a generation that a node keeps. ``failover``: how the standby took over,
    once it has come to that; ``generations``: how many were taken;
    ``restored_differences``: between the source and what was brought back."""

    alpha: Agent
    beta: Agent
    source: Path
    standby: Path
    tell: Tell
    source_is_foreign: bool
    bar: bool
    length: StoryLength = StoryLength()
    compare: Callable[[str, str], list[str]] = compare_trees
    restore: Callable[[Agent, str, Path, str], Json] = history.restore_in_demo
    roll_back: Callable[[Agent, str, str], Json] = history.roll_back
    failover: Failover | None = None
    generations: int = 0
    restored_differences: list[str] | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(20261122))
    lags_ms: list[float] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    _pause: threading.Event = field(default_factory=threading.Event)

    def play(self) -> None:
        """All of it. Raises a ``HikaeError`` when an agent does not do its part."""
        if self.source_is_foreign:
            self._look_at_source()
            self._first_sync(kill_in_the_middle=True)
        else:
            self._build()
            self._first_sync(kill_in_the_middle=False)
            self._edit()
            self._rename()
            self._burst()
            self._kill()
        self._bring_back()
        self._verify()
        self._compare()
        self.failover = Failover(
            self.alpha,
            self.beta,
            (self.source, self.standby),
            self.tell,
            self.compare,
            lambda agent, words: self._wait("applied", words, agent),
            lambda true: self._until(lambda: true(self._dataset(self.alpha))),
        )
        self.failover.play(source_is_foreign=self.source_is_foreign)
        self.differences += self.failover.differences

    def _build(self) -> None:
        began = time.monotonic()
        build_tree(self.source, self.chance)
        size = measure(str(self.source))
        self.tell("sample tree", f"{size.entries:,} entries, {size_text(size.bytes)} ({_since(began)})")

    def _look_at_source(self) -> None:
        size = measure(str(self.source))
        self.tell(
            "your tree", f"{size.entries:,} entries, {size_text(size.bytes)}; only read, so no live edits are shown"
        )

    def _first_sync(self, *, kill_in_the_middle: bool) -> None:
        self.alpha.start()
        self.beta.start()
        began = time.monotonic()
        self._answering(self.alpha)
        self.tell("two agents", f"mutual TLS on loopback, watching by {self._watcher()} ({_since(began)})")
        if kill_in_the_middle:
            self._until(lambda: self._durable_seq() > 0)
            self.beta.kill()
            self.beta.start()
            self.tell("kill -9", "the secondary, in the middle of the first sync; started again")
        self._wait("applied", "first sync")
        took = time.monotonic() - began
        size = measure(str(self.source))
        rate = size_text(int(size.bytes / took))
        self.tell("first sync", f"{size.entries:,} entries, {size_text(size.bytes)} in {span_text(took)} ({rate}/s)")

    def _edit(self) -> None:
        control, began = self.alpha.client(), time.monotonic()
        for _ in live_edits(self.source, self.chance, self.length.edits):
            written = time.monotonic()
            control.ask(WaitRequest(DATASET, "durable", _PATIENCE))
            self.lags_ms.append((time.monotonic() - written) * 1000)
            if time.monotonic() - began > self.length.edit_seconds:
                break
        p50, p99 = (percentile(self.lags_ms, share) for share in (50, 99))
        self.tell(
            "live edits", f"{len(self.lags_ms)} edits, each durable there after {p50:.0f} ms (p50), {p99:.0f} ms (p99)"
        )

    def _rename(self) -> None:
        old, new = self.source / "shop-1", self.source / "shop-1-renamed"
        entries = measure(str(old)).entries
        began = time.monotonic()
        old.rename(new)
        self._wait("applied", "rename")
        self.tell("rename", f"a directory of {entries:,} entries, applied in {_since(began)}")

    def _burst(self) -> None:
        began = time.monotonic()
        written = sum(1 for _ in burst(self.source / "burst", self.chance, self.length.burst))
        self._wait("applied", "burst")
        self.tell("burst", f"{written:,} new files, applied {_since(began)} after the first was begun")

    def _kill(self) -> None:
        for number in burst(self.source / "burst under fire", self.chance, self.length.burst):
            if number == self.length.burst // 3:
                self.beta.kill()
        self.beta.start()
        began = time.monotonic()
        self._wait("applied", "recovery")
        self.tell("kill -9", f"the secondary, in the middle of a burst; all is there {_since(began)} after its restart")

    def _bring_back(self) -> None:
        self._wait("applied", "the rest")
        began = time.monotonic()
        generation = history.take_in_demo(self.beta)
        self.generations += 1
        self.tell("generation", f"{generation} was taken on the secondary ({_since(began)})")
        if not self.source_is_foreign:
            self._damage(generation)
        began, restored = time.monotonic(), self.standby.parent / "restored"
        answer = self.restore(self.beta, generation, restored, "")
        found = self.restored_differences = self.compare(str(self.source), str(restored))
        self.tell("restore", history.restored_text(answer, began, _outcome(found)))
        if not self.source_is_foreign:
            self._roll_back(generation, restored)

    def _roll_back(self, generation: str, restored: Path) -> None:
        """A directory is deleted and a file added; the primary's tree is rolled back to before that."""
        shutil.rmtree(self.source / "shop-2")
        (self.source / "left by a bad release").write_text("no more")
        self._wait("applied", "the bad release")
        between = history.diff_text(self.beta, generation)
        began = time.monotonic()
        self.roll_back(self.alpha, generation, self.beta.name)
        self._wait("applied", "rollback")
        found = self.compare(str(self.source), str(restored))
        self.restored_differences = [*(self.restored_differences or []), *found]
        self.tell("rollback", f"{between} since the generation undone in place: {_outcome(found)} ({_since(began)})")

    def _damage(self, generation: str) -> None:
        """A file is overwritten on the primary, so on the standby too; it is brought back and put where it was."""
        victim = self.source / "catalogue-0.bin"
        size = history.damage(victim)
        self._wait("applied", "damage")
        between = history.diff_text(self.beta, generation)
        self.tell("damage", f"{size:,} bytes in the middle of {victim.name}; since the generation: {between}")
        found = self.standby.parent / "restored.bin"
        began = time.monotonic()
        self.restore(self.beta, generation, found, victim.name)
        history.put_back(found, victim)
        self._wait("applied", "the file of before")
        self.tell("one file", f"{victim.name} of the generation, put back ({_since(began)})")

    def _verify(self) -> None:
        self._reconcile()
        self._wait("applied", "the rest")
        with progress_shown("verifying", self.bar) as progress:
            report = self.beta.client().ask(VerifyRequest(DATASET, deep=True), progress)
        self.differences += [str(one) for one in report["differences"]]
        found = "equal" if report["equal"] else f"{len(report['differences']):,} differences"
        self.tell(
            "verify --deep", f"{report['checked_entries']:,} entries, {size_text(report['checked_bytes'])}: {found}"
        )

    def _compare(self) -> None:
        began = time.monotonic()
        found = self.compare(str(self.source), str(self.standby))
        self.differences += found
        self.tell("both trees", f"compared without hikae's code: {_outcome(found)} ({_since(began)})")

    def _reconcile(self) -> None:
        with progress_shown("looking at everything", self.bar) as progress:
            self.alpha.client().ask(ReconcileRequest(DATASET), progress)

    def _wait(self, level: Reached, words: str, primary: Agent | None = None) -> None:
        """Until all that is written now on the primary, alpha unless it is named, is there.

        In short waits: meanwhile agents may start, and progress is shown."""
        deadline = time.monotonic() + _PATIENCE
        primary = primary or self.alpha
        control = primary.client()
        with progress_shown(words, self.bar) as progress:
            while True:
                try:
                    control.ask(WaitRequest(DATASET, level, _POLL))
                except (TryAgain, Unreachable) as error:
                    self._still_worth_it(deadline, error)
                    sync = self._dataset(primary)["sync"]
                    if sync:
                        progress(sync)
                else:
                    return

    def _answering(self, agent: Agent) -> None:
        self._until(lambda: bool(self._dataset(agent)["watch"]))

    def _until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            reason: HikaeError = TryAgain("go on", "the demonstration", f"nothing moved for {_PATIENCE:.0f} s")
            try:
                if true():
                    return
            except Unreachable as error:
                reason = error
            self._still_worth_it(deadline, reason)
            self._pause.wait(0.02)

    def _still_worth_it(self, deadline: float, reason: HikaeError) -> None:
        for agent in (self.alpha, self.beta):
            agent.check_alive()
        if time.monotonic() > deadline:
            raise reason

    def _watcher(self) -> str:
        return str(self._dataset(self.alpha)["watch"]["kind"])

    def _durable_seq(self) -> int:
        return max((peer["durable_seq"] for peer in self._dataset(self.alpha)["peers"]), default=0)

    def _dataset(self, agent: Agent) -> Json:
        found: Json = next(one for one in agent.client().ask(StatusRequest())["datasets"] if one["name"] == DATASET)
        return found


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` percent are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share) // 100) - 1)]


def _outcome(found: list[str]) -> str:
    return f"{len(found):,} differences" if found else "content and metadata equal"


def _since(began: float) -> str:
    return span_text(time.monotonic() - began)
