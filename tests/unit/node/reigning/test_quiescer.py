"""Quiesce by the primary's own configuration: what is reached, what each hook said, and that the application always goes on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset, Hook, Hooks
from agent.core.clock import SystemClock
from agent.core.commit import Quiesced
from agent.core.errors import HikaeError, Refused, TryAgain
from agent.core.ids import NOTHING
from agent.fs.thaw_guard import FreezeFailed
from agent.generations.quiescing import StoodStill
from agent.node.reigning.offline import RECORD as OFFLINE_RECORD
from agent.node.reigning.offline import Offline, OfflineWork
from agent.node.reigning.quiescer import RECORD, QuiescedSource, Quiescer, never
from agent.steps.hooks import HookFailed
from agent.steps.record import StepsRecord, write_steps
from fakes.capture_fakes import WAIT, Station, station
from fakes.eventually import eventually


class CalmGuard:
    """Freezes nothing; ``fails`` is raised instead. Satisfies ``Freezing``."""

    def __init__(self, fails: HikaeError | None = None) -> None:
        self.fails = fails

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        if self.fails is not None:
            raise self.fails
        yield


@dataclass
class Primary:
    """A dataset on its primary, with a file that its hooks write into."""

    made: Station
    place: Path
    dataset: Dataset
    guard: CalmGuard
    kind: str | None = "fanotify"
    #: Why the application must not be begun.
    withheld: str = ""

    def source(self) -> QuiescedSource:
        """What stands still."""
        return QuiescedSource(
            lambda: self.dataset,
            "alpha",
            lambda: 3,
            self.made.pump,
            self.guard,
            lambda: self.withheld,
            self.why_not,
            snapshot=lambda reached: self.made.pump.snapshot("root", reached=reached),
            patience=60.0,
        )

    def why_not(self) -> str | None:
        """As the node says it of a tree."""
        said = f"the tree is followed by {self.kind or 'nothing'}, and a moment takes fanotify"
        return None if self.kind == "fanotify" else said

    def quiescer(self) -> Quiescer:
        """What lets it."""
        return Quiescer(self.source(), self.place, SystemClock())

    def reach(self) -> StoodStill:
        """Let it stand still."""
        return self.quiescer().reach(True, lambda: None)

    def reached_of(self, stood: StoodStill) -> Quiesced:
        """What its commit says."""
        return next(one for one in self.made.outlet.commits if one.number == stood.number).provenance.reached

    def called(self) -> list[str]:
        """What the hooks wrote, in order."""
        log = self.place / "log"
        return log.read_text().split() if log.exists() else []

    def configure(self, quiesce: Any, **hooks: Any) -> None:
        """Change the configuration."""
        self.dataset = replace(self.dataset, quiesce=quiesce, hooks=Hooks(**hooks))

    def hook(self, word: str, code: int = 0, **more: Any) -> Hook:
        """A hook that writes a word, says it, and ends with a code."""
        write = f"open({str(self.place / 'log')!r}, 'a').write({word + ' '!r})"
        return Hook((sys.executable, "-c", f"{write}; print('said {word}'); raise SystemExit({code})"), **more)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    """One whose first sync is through."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("x")
    dataset = resolve_dataset(DatasetEntry("web", str(root), "alpha", ("beta",)), "alpha")
    with station(root, tmp_path / "state") as made:
        made.synced()
        yield Primary(made, tmp_path, dataset, CalmGuard())


def test_none(primary: Primary) -> None:
    """Without quiesce each file is whole, nothing stands still and no hook runs."""
    primary.configure("none", before_freeze=primary.hook("before"))
    stood = primary.reach()
    assert (Quiesced.FILE, 0, (), []) == (stood.reached, stood.stood_still, stood.hooks, primary.called())


def test_not_asked_for(primary: Primary) -> None:
    """Who asks for no quiesce gets none, whatever is configured."""
    primary.configure("hook", before_freeze=primary.hook("before"))
    stood = primary.quiescer().reach(False, lambda: None)
    assert (Quiesced.FILE, []) == (stood.reached, primary.called())


def test_hook(primary: Primary) -> None:
    """The application rests between its two hooks; what each said, and for how long it rested, is told, and the commit says
    what was reached."""
    primary.configure("hook", before_freeze=primary.hook("before"), after_thaw=primary.hook("after"))
    stood = primary.reach()
    assert (Quiesced.APPLICATION, ["before", "after"]) == (stood.reached, primary.called())
    assert ["it said: said before", "it said: said after"] == [line.partition("; ")[2] for line in stood.hooks]
    assert (True, Quiesced.APPLICATION, False) == (
        stood.stood_still > 0,
        primary.reached_of(stood),
        (primary.place / RECORD).exists(),
    )


def test_freeze(primary: Primary) -> None:
    """A filesystem that stood still is a moment; with a hook before it the application made itself ready."""
    primary.configure("freeze")
    stood = primary.reach()
    primary.configure("freeze", before_freeze=primary.hook("before"))
    ready = primary.reach()
    assert (Quiesced.CRASH, Quiesced.APPLICATION) == (stood.reached, ready.reached)
    assert (Quiesced.CRASH, Quiesced.APPLICATION) == (primary.reached_of(stood), primary.reached_of(ready))


def test_a_freeze_that_cannot_be_had(primary: Primary) -> None:
    """Where the filesystem is not frozen each file is whole, and the generation says why; the hooks run all the same."""
    primary.configure("freeze", after_thaw=primary.hook("after"))
    primary.guard.fails = FreezeFailed("freeze", "root", "another program has frozen it")
    stood = primary.reach()
    assert (Quiesced.FILE, ["after"]) == (stood.reached, primary.called())
    assert stood.hooks[0].startswith(
        "freeze: not reached, each file is whole: in 5 tries: another program has frozen it"
    )


def test_a_freeze_takes_fanotify(primary: Primary) -> None:
    """Where the tree is followed by anything else, a moment cannot be told, and is said so."""
    primary.configure("freeze")
    primary.kind = "polling"
    stood = primary.reach()
    told = "freeze: not reached, each file is whole: the tree is followed by polling, and a moment takes fanotify"
    assert (Quiesced.FILE, (told,)) == (stood.reached, stood.hooks)


def test_a_snapshot_that_cannot_be_had(primary: Primary) -> None:
    """Where no snapshot can be made each file is whole, and the generation says why; with a hook the application is ready all the
    same."""
    primary.configure("btrfs")
    told = "btrfs: not reached, each file is whole: it does not stand on btrfs"
    assert (Quiesced.FILE, (told,)) == ((stood := primary.reach()).reached, stood.hooks)
    primary.configure("btrfs", before_freeze=primary.hook("before"))
    assert Quiesced.APPLICATION == primary.reach().reached


def test_a_hook_that_fails(primary: Primary) -> None:
    """An application that does not come to rest ends it, unless it is to go on without; it goes on in either case."""
    primary.configure("hook", before_freeze=primary.hook("before", 7), after_thaw=primary.hook("after"))
    with pytest.raises(HookFailed, match="exit code 7"):
        primary.reach()
    assert ["before", "after"] == primary.called()
    primary.configure(
        "hook", before_freeze=primary.hook("again", 7, on_failure="go-on"), after_thaw=primary.hook("after")
    )
    stood = primary.reach()
    assert (Quiesced.FILE, ["before", "after", "again", "after"]) == (stood.reached, primary.called())
    assert "before_freeze: it ended with exit code 7; it said: said again" == stood.hooks[0]


def test_nobody_waits_any_more(primary: Primary) -> None:
    """Who asked goes away while the application rests: it goes on."""

    def gone() -> None:
        if "before" in primary.called():
            raise TryAgain("reach a barrier", "web", "the dataset is being closed")

    primary.configure("hook", before_freeze=primary.hook("before"), after_thaw=primary.hook("after"))
    with pytest.raises(TryAgain, match="being closed"):
        primary.quiescer().reach(True, gone)
    assert ["before", "after"] == primary.called()


@pytest.mark.parametrize("doing", ["before_freeze", "capture", "after_thaw"])
def test_an_agent_that_ended_in_the_middle(primary: Primary, doing: str) -> None:
    """The next opening lets the application go on, and captures nothing for it."""
    primary.configure("hook", before_freeze=primary.hook("before"), after_thaw=primary.hook("after"))
    write_steps(primary.place / RECORD, StepsRecord("quiesce", 0, {}, doing=doing))
    commits = len(primary.made.outlet.commits)
    quiescer = primary.quiescer()
    quiescer.start()
    quiescer.close()
    assert ([], commits, False) == (
        [word for word in primary.called() if word != "after"],
        len(primary.made.outlet.commits),
        (primary.place / RECORD).exists(),
    )
    assert ["after"] == primary.called()


# --- offline


def offline(primary: Primary, quiescer: Quiescer) -> Offline:
    """What stops and starts it."""
    return Offline(primary.source(), quiescer, primary.place, SystemClock())


def test_offline(primary: Primary) -> None:
    """The application is stopped, waited for, taken, and started; a barrier meanwhile is application-consistent without hooks."""
    primary.configure(
        "freeze", stop=primary.hook("stop"), start=primary.hook("start"), before_freeze=primary.hook("no")
    )
    quiescer = primary.quiescer()
    did: list[object] = []

    def take() -> dict[str, Any]:
        did.append(quiescer.reach(True, lambda: None).reached)
        return {"generation": "G"}

    answer = offline(primary, quiescer).take(OfflineWork(lambda: did.append("waited"), take, never))
    assert (["waited", Quiesced.APPLICATION], ["stop", "start"]) == (did, primary.called())
    assert ("G", ["stop", "wait", "take", "start"]) == (answer["generation"], [one["name"] for one in answer["steps"]])
    assert (True, False) == (answer["down_ms"] > 0, quiescer.is_stopped)


def test_offline_takes_both_hooks(primary: Primary) -> None:
    """Without a start hook nothing is stopped; "none" is one."""
    primary.configure("none", stop=primary.hook("stop"))
    with pytest.raises(Refused, match=r"\[dataset.hooks\] has no start"):
        offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, dict, never))
    assert [] == primary.called()
    primary.configure("none", stop=Hook(()), start=Hook(()))
    assert (
        "G"
        == offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, lambda: {"generation": "G"}, never))[
            "generation"
        ]
    )


def test_offline_an_application_that_does_not_stop(primary: Primary) -> None:
    """Nothing is taken of what did not stop; it is started all the same, since it may be half down."""
    primary.configure("none", stop=primary.hook("stop", 1), start=primary.hook("start"))
    with pytest.raises(HookFailed, match="run the stop hook"):
        offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, pytest.fail, never))
    assert ["stop", "start"] == primary.called()


def test_offline_what_fails_between(primary: Primary) -> None:
    """What fails while it is stopped is told, and the application runs again."""
    primary.configure("none", stop=primary.hook("stop"), start=primary.hook("start"))

    def take() -> dict[str, Any]:
        raise TryAgain("take", "web", "beta does not answer")

    with pytest.raises(TryAgain, match="beta does not answer"):
        offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, take, never))
    assert ["stop", "start"] == primary.called()


def test_offline_an_application_that_does_not_start(primary: Primary) -> None:
    """That it is down is what is told, with the generation that was taken and what to type."""
    primary.configure("none", stop=primary.hook("stop"), start=primary.hook("start", 3))
    with pytest.raises(
        HikaeError, match=r"IT IS DOWN: it ended with exit code 3.*generation G was taken; start it by hand"
    ):
        offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, lambda: {"generation": "G"}, never))


def test_offline_another_node_is_the_primary_meanwhile(primary: Primary) -> None:
    """The application stays stopped, and the step says why."""
    primary.configure("none", stop=primary.hook("stop"), start=primary.hook("start"))
    primary.withheld = "beta was made the primary"
    answer = offline(primary, primary.quiescer()).take(OfflineWork(lambda: None, dict, never))
    assert ["stop"] == primary.called()
    assert "start: not run: beta was made the primary" == answer["steps"][-1]["result"]


@pytest.mark.parametrize("doing", ["stop", "wait", "take", "start"])
def test_offline_an_agent_that_ended_in_the_middle(primary: Primary, doing: str) -> None:
    """The next opening starts the application."""
    primary.configure("none", stop=primary.hook("stop"), start=primary.hook("start"))
    write_steps(primary.place / OFFLINE_RECORD, StepsRecord("offline", 0, {}, doing=doing))
    made = offline(primary, primary.quiescer())
    made.start()
    eventually(lambda: primary.called() == ["start"])
    made.close()
    assert not (primary.place / OFFLINE_RECORD).exists()


def test_what_stands_still_anyhow_waits_for_the_moment_of_its_group(primary: Primary) -> None:
    """A pump has one moment in hand: neither takes the place of the other."""
    quiescer = Quiescer(replace(primary.source(), always=True), primary.place, SystemClock())
    ended: list[str] = []

    def by_itself() -> None:
        quiescer.reach(False, lambda: None)
        ended.append("alone")

    alone = threading.Thread(target=by_itself)

    def captured(_ready: Quiesced) -> StoodStill:
        alone.start()
        # As long as it takes to have several moments by itself, if it were not waiting.
        for _ in range(3):
            primary.made.pump.stand_still(primary.guard, "root").wait(WAIT)
        ended.append("together")
        return StoodStill(NOTHING)

    quiescer.around(captured, lambda: None)
    alone.join(WAIT)
    assert ["together", "alone"] == ended
