"""Two trees of a group on their primary, captured at one moment: each has a commit of it, or neither is taken for one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.capture.access.image import ImageLimits
from agent.capture.access.standstill import StandstillLimits
from agent.capture.access.together import TogetherLimits
from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset, Hook, Hooks
from agent.core.clock import SystemClock
from agent.core.commit import Quiesced
from agent.core.errors import HikaeError, Refused, TryAgain
from agent.fs.thaw_guard import CannotFreeze, FreezeFailed, FreezeRoot
from agent.node.grouped.moment import GroupMoment, GroupSource, MomentLimits
from agent.node.reigning.quiescer import QuiescedSource, Quiescer
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import Station, station
from fakes.eventually import eventually

#: Any number of tries is made at once, and the others are waited for on the slowest machine.
QUICK = MomentLimits(between=0.01, together=TogetherLimits(meet=60.0))


class CalmGuard:
    """Freezes nothing; the next of ``fails`` is raised instead, while there is one. Satisfies ``FreezingDisks``."""

    def __init__(self) -> None:
        self.fails: list[HikaeError] = []
        self.times = 0
        self.roots: list[FreezeRoot] = []
        self.before: Callable[[], None] = lambda: None

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        with self.all_frozen([(root_fd, path)], seconds):
            yield

    @contextmanager
    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """See ``FreezingDisks``."""
        self.times += 1
        self.roots = list(roots)
        if self.fails:
            raise self.fails.pop(0)
        self.before()
        yield


@dataclass
class GroupHere:
    """The trees ``a`` and ``b``, whose hooks write into one log."""

    place: Path
    stations: dict[str, Station]
    guard: CalmGuard = field(default_factory=CalmGuard)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    unfollowed: str = ""

    def __post_init__(self) -> None:
        for name in self.stations:
            entry = DatasetEntry(name, str(self.place / name), "alpha", ("beta",), group="shop")
            self.datasets[name] = resolve_dataset(entry, "alpha")

    def source(self, name: str) -> GroupSource:
        """One of them."""
        pump = self.stations[name].pump
        why = "the tree is followed by inotify, and a moment takes fanotify" if name == self.unfollowed else None
        source = QuiescedSource(
            lambda: self.datasets[name], "alpha", lambda: 1, pump, self.guard, lambda: "", lambda: why
        )
        home = self.place / f"{name}.home"
        home.mkdir(exist_ok=True)
        return GroupSource(source, Quiescer(source, home, SystemClock()))

    def moment(self, limits: MomentLimits = QUICK, names: Sequence[str] = ("a", "b")) -> GroupMoment:
        """One moment of both."""
        return GroupMoment("shop", [self.source(name) for name in names], self.guard, lambda: None, limits)

    def reached(self) -> list[Quiesced]:
        """What the newest commit of each says."""
        return [made.outlet.commits[-1].provenance.reached for made in self.stations.values()]

    def hook(self, word: str, code: int = 0) -> Hook:
        """One that writes a word."""
        write = f"open({str(self.place / 'log')!r}, 'a').write({word + ' '!r})"
        return Hook((sys.executable, "-c", f"{write}; raise SystemExit({code})"))

    def configure(self, name: str, before: Hook | None = None, after: Hook | None = None) -> None:
        """Give one of them hooks."""
        self.datasets[name] = replace(self.datasets[name], hooks=Hooks(before_freeze=before, after_thaw=after))

    def note(self, word: str) -> None:
        """Write what hooks write."""
        with (self.place / "log").open("a") as log:
            log.write(f"{word} ")

    def called(self) -> list[str]:
        """What the hooks wrote, in order."""
        log = self.place / "log"
        return log.read_text().split() if log.exists() else []


@pytest.fixture
def group(tmp_path: Path) -> Iterator[GroupHere]:
    """Both past their first syncs."""
    with ExitStack() as stack:
        stations = {}
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            stations[name] = stack.enter_context(station(tmp_path / name, tmp_path / f"{name}.state"))
            stations[name].synced()
        yield GroupHere(tmp_path, stations)


def test_both_have_a_commit_of_the_moment(group: GroupHere) -> None:
    """By one freeze; what was written before is in it."""

    def change() -> None:
        for name, made in group.stations.items():
            (group.place / name / "file").write_text("x")
            made.pump.hint([Hint(b"file", Look.ENTRY)])

    group.guard.before = change
    stood = group.moment().reach()
    newest = {name: made.outlet.commits[-1].number for name, made in group.stations.items()}
    assert newest == {name: one.number for name, one in stood.items()}
    assert ([Quiesced.CRASH] * 2, 1, [[], []]) == (
        group.reached(),
        group.guard.times,
        [made.mirror() for made in group.stations.values()],
    )
    assert 1 == len({one.stood_still for one in stood.values()})


def test_the_hooks_of_all_run_around_it(group: GroupHere) -> None:
    """Each ``before_freeze`` in order, then the freeze, then each ``after_thaw``; what has hooks is application-consistent."""
    group.configure("a", before=group.hook("before-a"), after=group.hook("after-a"))
    group.configure("b", before=group.hook("before-b"), after=group.hook("after-b"))
    group.guard.before = lambda: group.note("frozen")
    stood = group.moment().reach()
    assert ["before-a", "before-b", "frozen", "after-b", "after-a"] == group.called()
    assert [Quiesced.APPLICATION] * 2 == [one.reached for one in stood.values()] == group.reached()


def test_a_hook_that_fails_lets_the_others_go_on(group: GroupHere) -> None:
    """Nothing is frozen, and who had come to rest goes on again."""
    group.configure("a", before=group.hook("before-a"), after=group.hook("after-a"))
    group.configure("b", before=group.hook("before-b", code=1))
    with pytest.raises(HikaeError):
        group.moment().reach()
    assert (["before-a", "before-b", "after-a"], 0) == (group.called(), group.guard.times)


def test_a_try_that_fails_is_made_again(group: GroupHere) -> None:
    """What each captured by it is no moment of the group."""
    group.guard.fails = [FreezeFailed("freeze", "/a", "another program has frozen it already")]
    stood = group.moment().reach()
    assert (2, 2, [Quiesced.CRASH] * 2) == (len(stood), group.guard.times, group.reached())


def test_a_filesystem_that_knows_no_freeze_is_named_at_once(group: GroupHere) -> None:
    """No second try would mend it; the application goes on."""
    group.configure("a", before=group.hook("before"), after=group.hook("after"))
    group.guard.fails = [CannotFreeze("freeze", "/srv/b", "its filesystem cannot be frozen")]
    with pytest.raises(Refused, match="/srv/b: its filesystem cannot be frozen"):
        group.moment().reach()
    assert (1, ["before", "after"]) == (group.guard.times, group.called())


def test_one_that_changes_too_much_is_a_moment_of_none(group: GroupHere) -> None:
    """It is named, after as many tries as there may be."""

    def change() -> None:
        (group.place / "b" / "file").write_bytes(b"x" * 2000)
        group.stations["b"].pump.hint([Hint(b"file", Look.ENTRY)])

    group.guard.before = change
    limits = replace(QUICK, tries=2, one=StandstillLimits(ImageLimits(bytes=1000), tries=1))
    with pytest.raises(TryAgain, match="in 2 tries: b: too much changes at once"):
        group.moment(limits).reach()
    assert 2 == group.guard.times


def test_a_tree_that_fanotify_does_not_follow_is_refused(group: GroupHere) -> None:
    """Before any hook ran."""
    group.unfollowed = "b"
    group.configure("a", before=group.hook("before"))
    with pytest.raises(Refused, match="b: the tree is followed by inotify"):
        group.moment().reach()
    assert ([], 0) == (group.called(), group.guard.times)


def test_one_that_is_held_is_named(group: GroupHere) -> None:
    """Its root is gone: nothing is captured of it."""
    (group.place / "b").rmdir()
    made = group.stations["b"]
    made.pump.hint([Hint(b"", Look.SUBTREE)])
    eventually(lambda: made.pump.facts().hold is not None)
    with pytest.raises(TryAgain, match="b: it is held"):
        group.moment().reach()
    assert 0 == group.guard.times


def test_two_on_one_filesystem_are_one_freeze(group: GroupHere) -> None:
    """It would not stand still a second time; and a group of one is a group."""
    group.moment().reach()
    assert 1 == len(group.guard.roots)
    assert ["a"] == list(group.moment(names=("a",)).reach())
