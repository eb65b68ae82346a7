"""What every watcher promises (``agent.watch.hint.Watcher``), on a disk's filesystem and on one in memory."""

from __future__ import annotations

import mmap
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from agent.fs.confined import open_root
from agent.fs.handles import handle_of_fd
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Hint, Look, Watcher, no_further_names
from agent.watch.inotify import InotifyWatcher
from agent.watch.polling import PollingWatcher
from fakes.watch_fakes import SeenHints

LONG = 30.0

fanotify_only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root")


@dataclass
class Watched:
    """A tree, what watches it, and what was said. ``outside`` is a directory beside the root on the same filesystem."""

    root: Path
    outside: Path
    watcher: Watcher
    seen: SeenHints = field(default_factory=SeenHints)

    def settle(self) -> None:
        """Everything done so far has been told."""
        assert self.watcher.barrier(LONG)

    def forget(self) -> None:
        """Everything done so far has been told, and is not looked at."""
        self.settle()
        self.seen.clear()

    def assert_covered(self, *paths: bytes) -> None:
        """Everything done so far has been told, and these paths are among it."""
        self.settle()
        missing = [path for path in paths if not self.seen.covers(path)]
        assert [] == missing, self.seen.hints

    def lost_within(self, seconds: float) -> str | None:
        """What ``check`` says, called as the node does, until it says something."""
        deadline = time.monotonic() + seconds
        while self.watcher.check() is None and time.monotonic() < deadline:
            os.sched_yield()
        return self.watcher.lost


def _make(kind: str, root: Path) -> Watcher:
    # An empty set of own processes: these tests make the changes themselves.
    makers: dict[str, Callable[[str], Watcher]] = {
        "fanotify": lambda path: FanotifyGroups(frozenset()).watcher(path, no_further_names),
        "fanotify before 5.17": lambda path: FanotifyGroups(frozenset(), modern=False).watcher(path, no_further_names),
        "inotify": InotifyWatcher,
        "polling": lambda path: PollingWatcher(path, interval=60.0),
    }
    return makers[kind](str(root))


@pytest.fixture(params=["ext4", "tmpfs"])
def base(request: pytest.FixtureRequest, tmpfs_dir: Path, ext4_dir: Path) -> Path:
    """A directory on each kind of filesystem."""
    return tmpfs_dir if request.param == "tmpfs" else ext4_dir


WITH_A_QUEUE = [
    pytest.param("fanotify", marks=fanotify_only_as_root),
    pytest.param("fanotify before 5.17", marks=fanotify_only_as_root),
    "inotify",
]


@pytest.fixture(params=[*WITH_A_QUEUE, "polling"])
def watched(request: pytest.FixtureRequest, base: Path) -> Iterator[Watched]:
    """A started watcher of an empty tree."""
    yield from _watched(request.param, base)


@pytest.fixture(params=WITH_A_QUEUE)
def flooded(request: pytest.FixtureRequest, tmpfs_dir: Path) -> Iterator[Watched]:
    """A started watcher whose kernel queue can overflow, where many files are made quickly."""
    yield from _watched(request.param, tmpfs_dir)


def _watched(kind: str, base: Path) -> Iterator[Watched]:
    root, outside = base / "root", base / "outside"
    root.mkdir()
    outside.mkdir()
    made = Watched(root, outside, _make(kind, root))
    made.watcher.start(made.seen)
    yield made
    made.seen.release()
    made.watcher.stop()


def test_create(watched: Watched) -> None:
    """A new file is hinted."""
    (watched.root / "new").write_bytes(b"x")
    watched.assert_covered(b"new")


def test_write_to_a_file_that_stays_open(watched: Watched) -> None:
    """A write is hinted although the file is never closed."""
    with (watched.root / "log").open("wb", buffering=0) as log:
        watched.forget()
        log.write(b"line")
        watched.assert_covered(b"log")


def test_append_and_truncate(watched: Watched) -> None:
    """Growing and shrinking are hinted, each on its own."""
    path = watched.root / "file"
    path.write_bytes(b"12345")
    watched.forget()
    with path.open("ab") as file:
        file.write(b"6")
    watched.assert_covered(b"file")
    watched.forget()
    os.truncate(path, 2)
    watched.assert_covered(b"file")


def test_metadata(watched: Watched) -> None:
    """Mode, owner, times and extended attributes are hinted, of files and directories."""
    (watched.root / "dir").mkdir()
    (watched.root / "dir/file").touch()
    for name in (b"dir", b"dir/file"):
        path = os.fsencode(watched.root) + b"/" + name
        changes: list[Callable[[], None]] = [
            partial(os.chmod, path, 0o700),
            partial(os.utime, path, ns=(1, 2)),
            partial(os.setxattr, path, "user.hikae", b"1"),
        ]
        if os.geteuid() == 0:
            changes.append(partial(os.chown, path, 12, 34))
        for change in changes:
            watched.forget()
            change()
            watched.assert_covered(name)


def test_the_roots_own_metadata(watched: Watched) -> None:
    """The root is a directory of the dataset like any other, and is named without a handle."""
    watched.root.chmod(0o711)
    watched.settle()
    # Others write on this filesystem too: what they touch comes as a handle that the tree does not know.
    found = watched.seen.at(b"")
    assert Hint(b"", Look.ENTRY) in found
    root = open_root(str(watched.root))
    try:
        assert handle_of_fd(root) not in {hint.handle for hint in found}
    finally:
        os.close(root)


def test_store_through_a_mapping_and_close(watched: Watched) -> None:
    """Linkers write so: no event tells of the store, the close does (polling: the size)."""
    with (watched.root / "binary").open("wb+") as file:
        file.truncate(4096)
        watched.forget()
        with mmap.mmap(file.fileno(), 4096) as memory:
            memory[:5] = b"store"
            memory.flush()
    watched.assert_covered(b"binary")


def test_delete(watched: Watched) -> None:
    """Files, directories and whole trees that are deleted."""
    (watched.root / "tree/sub").mkdir(parents=True)
    (watched.root / "tree/sub/file").touch()
    (watched.root / "file").touch()
    watched.forget()
    (watched.root / "file").unlink()
    shutil.rmtree(watched.root / "tree")
    watched.assert_covered(b"file", b"tree")


def test_rename_of_a_file(watched: Watched) -> None:
    """Both names are told; in one hint where the system tells them together."""
    (watched.root / "a").mkdir()
    (watched.root / "a/old").touch()
    watched.forget()
    (watched.root / "a/old").rename(watched.root / "new")
    watched.assert_covered(b"a/old", b"new")
    if _tells_both(watched.watcher):
        assert [b"a/old"] == [hint.moved_from for hint in watched.seen.at(b"new") if hint.moved_from is not None]


def _tells_both(watcher: Watcher) -> bool:
    """Whether the system tells both names together, and the kernel's queue held what others do on the filesystem beside."""
    return not watcher.overflows and (watcher.kind != "fanotify" or watcher._groups._modern)  # type: ignore[attr-defined]


def test_rename_over(watched: Watched) -> None:
    """The way editors save."""
    (watched.root / "file").write_bytes(b"old")
    watched.forget()
    (watched.root / "tmp").write_bytes(b"new!")
    (watched.root / "tmp").replace(watched.root / "file")
    watched.assert_covered(b"file")


def test_rename_of_a_directory(watched: Watched) -> None:
    """One hint and no walk; what happens below the new name is told under it."""
    (watched.root / "old/sub").mkdir(parents=True)
    (watched.root / "old/sub/file").touch()
    watched.forget()
    (watched.root / "old").rename(watched.root / "new")
    watched.assert_covered(b"old", b"new")
    if _tells_both(watched.watcher):
        assert {Look.ENTRY} == {hint.look for hint in watched.seen.at(b"new") if hint.moved_from == b"old"}
    watched.forget()
    (watched.root / "new/sub/file").write_bytes(b"later")
    (watched.root / "new/sub/more").touch()
    watched.assert_covered(b"new/sub/file", b"new/sub/more")


def test_swap_of_two_directories(watched: Watched) -> None:
    """After a swap each name stands for the other directory, for later events too."""
    for name in ("one", "two"):
        (watched.root / name).mkdir()
    watched.forget()
    (watched.root / "one").rename(watched.root / "three")
    (watched.root / "two").rename(watched.root / "one")
    (watched.root / "three").rename(watched.root / "two")
    watched.assert_covered(b"one", b"two")
    watched.forget()
    (watched.root / "one/x").touch()
    watched.assert_covered(b"one/x")
    assert not watched.seen.names(b"two/x")


def test_directory_moved_in(watched: Watched) -> None:
    """A tree that comes from outside is to be walked, and is watched from then on."""
    (watched.outside / "tree/sub").mkdir(parents=True)
    (watched.outside / "tree/sub/file").touch()
    watched.forget()
    (watched.outside / "tree").rename(watched.root / "tree")
    watched.assert_covered(b"tree", b"tree/sub/file")
    assert watched.watcher.overflows or Look.SUBTREE in {hint.look for hint in watched.seen.at(b"tree")}
    watched.forget()
    (watched.root / "tree/sub/file").write_bytes(b"later")
    watched.assert_covered(b"tree/sub/file")


def test_directory_moved_out(watched: Watched) -> None:
    """A tree that leaves is told once; what happens to it outside is not told of what stands there next."""
    (watched.root / "tree").mkdir()
    watched.forget()
    (watched.root / "tree").rename(watched.outside / "tree")
    watched.assert_covered(b"tree")
    watched.forget()
    (watched.outside / "tree/file").touch()
    watched.forget()
    (watched.root / "tree").mkdir()
    (watched.outside / "tree").rename(watched.outside / "again")
    watched.forget()
    (watched.outside / "again/file").write_bytes(b"x")
    watched.settle()
    assert [] == [hint for hint in watched.seen.hints if hint.path.startswith(b"tree")]
    (watched.root / "tree/inner").touch()
    watched.assert_covered(b"tree/inner")


def test_directories_at_once(watched: Watched) -> None:
    """``mkdir -p`` with files inside, faster than watches could be set."""
    for number in range(20):
        directory = watched.root / f"{number}/a/b/c"
        directory.mkdir(parents=True)
        (directory / "file").write_bytes(b"x")
    watched.assert_covered(*(b"%d/a/b/c/file" % number for number in range(20)))
    watched.forget()
    (watched.root / "7/a/b/c/file").write_bytes(b"later")
    watched.assert_covered(b"7/a/b/c/file")


def test_other_kinds_of_entries(watched: Watched) -> None:
    """Symlinks (also to nowhere and in circles), fifos and hard links."""
    (watched.root / "file").touch()
    watched.forget()
    (watched.root / "link").symlink_to("link")
    os.mkfifo(watched.root / "fifo")
    os.link(watched.root / "file", watched.root / "hard")
    watched.assert_covered(b"link", b"fifo", b"hard")
    watched.forget()
    (watched.root / "hard").write_bytes(b"x")
    watched.settle()
    assert watched.seen.covers(b"hard") or watched.seen.covers(b"file")


def test_names_are_bytes(watched: Watched) -> None:
    """Newlines, other encodings, and names that look like something else."""
    root = os.fsencode(watched.root)
    names = [b"new\nline", b"caf\xe9", b"\xff\xfe", b"sp ace", b"x (deleted)", b"-rf", b"\\"]
    for name in names:
        os.mkdir(root + b"/" + name)
        os.mkdir(root + b"/" + name + b"/" + name)
    watched.assert_covered(*names)
    watched.forget()
    for name in names:
        os.close(os.open(root + b"/" + name + b"/" + name + b"/" + name, os.O_CREAT | os.O_WRONLY))
    watched.assert_covered(*(name + b"/" + name + b"/" + name for name in names))
    watched.forget()
    os.rename(root + b"/caf\xe9", root + b"/\xe9\n")
    watched.assert_covered(b"caf\xe9", b"\xe9\n")


def test_the_private_directory_is_ignored(watched: Watched) -> None:
    """Nothing in the root's ``.hikae`` is told; a directory of that name elsewhere is data."""
    private = watched.root / ".hikae"
    private.mkdir(exist_ok=True)
    (private / "m").mkdir()
    (private / "m/17").write_bytes(b"x")
    (private / "m/17").rename(private / "m/18")
    private.chmod(0o700)
    (watched.root / ".hikae2").touch()
    (watched.root / "sub/.hikae").mkdir(parents=True)
    watched.assert_covered(b".hikae2", b"sub/.hikae")
    assert [] == [hint for hint in watched.seen.hints if (hint.path + b"/").startswith(b".hikae/")]
    watched.forget()
    (private / "m/18").rename(watched.root / "placed")
    watched.assert_covered(b"placed")
    assert [] == [hint for hint in watched.seen.hints if (hint.path + b"/").startswith(b".hikae/")]


def test_barrier_is_the_truth(watched: Watched) -> None:
    """Whatever was written before the call has been told when it returns, every time."""
    directory = watched.root / "many"
    directory.mkdir()
    watched.forget()
    for turn in range(5):
        for number in range(200):
            (directory / f"{turn}-{number}").write_bytes(b"x")
        watched.assert_covered(*(b"many/%d-%d" % (turn, number) for number in range(200)))
        watched.seen.clear()


def test_barrier_without_changes(watched: Watched) -> None:
    """Nothing to wait for; asked many times it leaves nothing behind."""
    for _ in range(20):
        watched.settle()
    assert [] == [entry.name for entry in watched.root.iterdir() if entry.name != ".hikae"]
    assert not (watched.root / ".hikae").exists() or [] == list((watched.root / ".hikae").iterdir())


def test_barrier_waits_for_the_sink(watched: Watched) -> None:
    """It does not return while the sink still holds what was written before."""
    (watched.root / "first").touch()
    watched.forget()
    watched.seen.hold()
    (watched.root / "file").touch()
    assert not watched.watcher.barrier(0.3)
    watched.seen.release()
    watched.assert_covered(b"file")


def _more_than_the_queue(kind: str) -> int:
    room = int(Path("/proc/sys/fs").joinpath(kind, "max_queued_events").read_text())
    if room > 40_000:
        pytest.skip("the queue of this machine is too long to fill it in a test")
    return room + 8_000


def test_overflow(flooded: Watched) -> None:
    """Events that the kernel had to drop are counted, and everything is to be looked at."""
    (flooded.root / "many").mkdir()
    flooded.forget()
    count = _more_than_the_queue(flooded.watcher.kind)
    flooded.seen.hold()
    for number in range(count):
        os.close(os.open(flooded.root / "many" / str(number), os.O_CREAT | os.O_WRONLY))
    flooded.seen.release()
    flooded.assert_covered(b"many/0", b"many/%d" % (count - 1))
    assert flooded.watcher.overflows >= 1
    assert Hint(b"", Look.SUBTREE) in flooded.seen.hints
    flooded.forget()
    (flooded.root / "many/later").touch()
    flooded.assert_covered(b"many/later")


def test_directory_made_during_an_overflow_is_watched(flooded: Watched) -> None:
    """Also below a directory whose making was among the lost events."""
    flooded.seen.hold()
    for number in range(_more_than_the_queue(flooded.watcher.kind)):
        os.close(os.open(flooded.root / str(number), os.O_CREAT | os.O_WRONLY))
    (flooded.root / "unseen/sub").mkdir(parents=True)
    flooded.seen.release()
    flooded.forget()
    (flooded.root / "unseen/sub/file").touch()
    flooded.assert_covered(b"unseen/sub/file")


def test_barrier_during_an_overflow(flooded: Watched) -> None:
    """A barrier whose own mark is lost in the flood is kept all the same: the look at everything covers it."""
    count = _more_than_the_queue(flooded.watcher.kind)
    flooded.seen.hold()
    for number in range(count):
        os.close(os.open(flooded.root / str(number), os.O_CREAT | os.O_WRONLY))
    passed: list[bool] = []
    asking = threading.Thread(target=lambda: passed.append(flooded.watcher.barrier(LONG)))
    asking.start()
    flooded.seen.release()
    asking.join()
    assert [True] == passed
    assert flooded.seen.covers(b"%d" % (count - 1))


def test_root_removed(watched: Watched) -> None:
    """A root that is gone is a reason, not silence; a barrier does not pass any more."""
    shutil.rmtree(watched.root)
    assert "the root directory is gone" == watched.lost_within(LONG)
    assert not watched.watcher.barrier(0.1)


def test_root_replaced(watched: Watched) -> None:
    """Another directory at the root's path is not the root, whether or not the moment between was noticed."""
    watched.root.rename(watched.outside / "was")
    watched.root.mkdir()
    reasons = ("another directory stands in the root's place", "the root directory is gone")
    assert watched.lost_within(LONG) in reasons
    assert not watched.watcher.barrier(0.1)


def test_check_is_content(watched: Watched) -> None:
    """A root that stands, also after changes in it, is not lost."""
    (watched.root / "file").touch()
    watched.root.chmod(0o755)
    watched.settle()
    assert (None, None, None) == (watched.watcher.check(), watched.watcher.lost, watched.watcher.problem)


def test_restart(watched: Watched) -> None:
    """After a stop nothing is told; after another start, what happens from then on."""
    watched.watcher.stop()
    watched.watcher.stop()
    (watched.root / "between").touch()
    assert not watched.watcher.barrier(0.1)
    assert [] == watched.seen.of()
    watched.watcher.start(watched.seen)
    (watched.root / "after").touch()
    watched.assert_covered(b"after")
    assert not watched.seen.names(b"between")


def test_nothing_is_left_open(watched: Watched) -> None:
    """Starting and stopping leaves no descriptor and no thread."""
    watched.watcher.stop()
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        watched.watcher.start(watched.seen)
        watched.settle()
        watched.watcher.stop()
    assert before == sorted(os.listdir("/proc/self/fd"))


def test_start_without_a_root(watched: Watched) -> None:
    """There is nothing to watch: an OSError, and nothing is left running."""
    watched.watcher.stop()
    shutil.rmtree(watched.root)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        watched.watcher.start(watched.seen)
    assert before == sorted(os.listdir("/proc/self/fd"))


def test_events_are_counted(watched: Watched) -> None:
    """Status shows how much was found by events."""
    before = watched.watcher.events
    (watched.root / "file").touch()
    watched.settle()
    assert watched.watcher.events > before


def test_root_reached_through_a_link(watched: Watched, base: Path) -> None:
    """The operator may name the root by a symlink."""
    watched.watcher.stop()
    (base / "named").symlink_to(watched.root)
    watcher = _make(watched.watcher.kind, base / "named")
    linked = Watched(base / "named", watched.outside, watcher)
    watcher.start(linked.seen)
    try:
        (linked.root / "dir").mkdir()
        (linked.root / "dir/file").touch()
        linked.assert_covered(b"dir/file")
        assert None is watcher.check()
    finally:
        watcher.stop()
