"""What only the fanotify watcher does. What every watcher does is in ``tests/contract/test_watchers.py``."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from agent.fs.confined import exchange
from agent.fs.handles import filesystem_id, handle_of, handle_of_fd, open_by_handle
from agent.watch import fanotify, handle_paths
from agent.watch.fanotify import FanotifyGroups, FanotifyWatcher, ReadPause
from agent.watch.hint import Hint, Look, Passing, no_further_names
from fakes.eventually import eventually
from fakes.watch_fakes import SeenHints

LONG = 30.0

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root")


@contextmanager
def started(watcher: FanotifyWatcher) -> Iterator[SeenHints]:
    """What a watcher says while it runs."""
    seen = SeenHints()
    watcher.start(seen)
    try:
        yield seen
    finally:
        seen.release()
        watcher.stop()


@pytest.fixture
def root(tmpfs_dir: Path) -> Path:
    """A root with room beside it."""
    (tmpfs_dir / "root").mkdir()
    return tmpfs_dir / "root"


@pytest.fixture
def groups() -> FanotifyGroups:
    """Groups that take this process for any other."""
    return FanotifyGroups(frozenset())


def handle(path: Path) -> bytes:
    """The handle of an entry."""
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        return handle_of(fd, os.fsencode(path.name))
    finally:
        os.close(fd)


def test_handles_are_those_of_fs(groups: FanotifyGroups, tmpfs_dir: Path, ext4_dir: Path) -> None:
    """The object's handle in a hint equals what ``handle_of`` and ``handle_of_fd`` say, for every kind of entry."""
    for base in (tmpfs_dir, ext4_dir):
        watcher = groups.watcher(str(base), no_further_names)
        with started(watcher) as seen:
            (base / "dir").mkdir()
            (base / "dir/file").touch()
            (base / "dir/link").symlink_to("file")
            (base / "dir/file").rename(base / "dir/renamed")
            assert watcher.barrier(LONG)
            for name in ("dir", "dir/link", "dir/renamed"):
                assert handle(base / name) in {hint.handle for hint in seen.at(os.fsencode(name))}
            fd = os.open(base / "dir/renamed", os.O_RDONLY)
            assert handle(base / "dir/renamed") == handle_of_fd(fd)
            os.close(fd)


def test_own_changes_are_ignored_and_others_are_not(root: Path) -> None:
    """By default this process is ignored: a standby's applier works beside what is watched."""
    watcher = FanotifyGroups().watcher(str(root), no_further_names)
    with started(watcher) as seen:
        (root / "own").touch()
        subprocess.run([sys.executable, "-c", "open(__import__('sys').argv[1], 'w')", root / "other"], check=True)
        assert watcher.barrier(LONG)
        assert {b"other"} == seen.paths()


def by_another(code: str, *paths: Path) -> None:
    """What another process does."""
    subprocess.run([sys.executable, "-c", f"import os, sys\n{code}", *paths], check=True)


@pytest.mark.parametrize("modern", [True, False], ids=["5.17", "before 5.17"])
def test_a_directory_that_we_moved_ourselves_is_heard_where_it_is(root: Path, modern: bool) -> None:
    """As a rollback moves them, while others write in them: out of the private directory, and on."""
    (root / ".hikae/m/dir").mkdir(parents=True)
    (root / ".hikae/m/dir/gone").touch()
    watcher = FanotifyGroups(modern=modern).watcher(str(root), no_further_names)
    with started(watcher) as seen:
        by_another("os.mkfifo(sys.argv[1])", root / ".hikae/m/dir/fifo")
        assert watcher.barrier(LONG)
        assert set() == seen.paths()
        (root / ".hikae/m/dir").rename(root / "dir")
        by_another("os.unlink(sys.argv[1])", root / "dir/gone")
        assert watcher.barrier(LONG)
        assert {b"dir/gone"} == seen.paths()
        (root / "dir").rename(root / "on")
        seen.clear()
        by_another("os.unlink(sys.argv[1])", root / "on/fifo")
        assert watcher.barrier(LONG)
        assert {b"on/fifo"} == seen.paths()


def test_one_group_serves_all_datasets_of_a_filesystem(groups: FanotifyGroups, tmpfs_dir: Path) -> None:
    """One thread, each watcher told of its own; it ends with the last."""
    for name in ("one", "two"):
        (tmpfs_dir / name).mkdir()
    one, two = (groups.watcher(str(tmpfs_dir / name), no_further_names) for name in ("one", "two"))
    with started(one) as seen_one:
        with started(two) as seen_two:
            (tmpfs_dir / "one/x").touch()
            (tmpfs_dir / "two/y").touch()
            (tmpfs_dir / "one/x").rename(tmpfs_dir / "two/x")
            assert one.barrier(LONG)
            assert {b"x"} == seen_one.paths()
            assert {b"x", b"y"} == seen_two.paths()
            assert seen_one.threads == seen_two.threads
        seen_one.clear()
        (tmpfs_dir / "two/z").touch()
        (tmpfs_dir / "one/z").touch()
        assert one.barrier(LONG)
        assert {b"z"} == seen_one.paths()
        assert not two.barrier(0.1)
    assert [] == [thread.name for thread in threading.enumerate() if thread.name.startswith("hikae-fanotify")]


def test_a_write_through_an_outside_link_is_told_by_handle(groups: FanotifyGroups, root: Path) -> None:
    """Only where capture knows the object to have further names; a stranger gives no hint."""
    (root / "inside").touch()
    (root.parent / "stranger").touch()
    ours = handle(root / "inside")
    os.link(root / "inside", root.parent / "link")
    watcher = groups.watcher(str(root), ours.__eq__)
    with started(watcher) as seen:
        for name in ("link", "stranger"):
            (root.parent / name).write_bytes(b"x")
        assert watcher.barrier(LONG)
        stranger = handle(root.parent / "stranger")
        assert {Hint(b"", Look.ENTRY, ours)} == set(seen.of(ours, stranger))


def test_an_object_that_was_just_linked_in_is_ours_before_the_catalog_knows(groups: FanotifyGroups, root: Path) -> None:
    """Between the link and its capture a write through the outside name must not be lost."""
    (root.parent / "file").touch()
    watcher = groups.watcher(str(root), lambda _: False)
    with started(watcher) as seen:
        (root.parent / "file").write_bytes(b"x")
        assert watcher.barrier(LONG)
        assert [] == seen.of(handle(root.parent / "file"))
        os.link(root.parent / "file", root / "linked")
        assert watcher.barrier(LONG)
        seen.clear()
        (root.parent / "file").write_bytes(b"y")
        assert watcher.barrier(LONG)
        ours = handle(root / "linked")
        assert {Hint(b"", Look.ENTRY, ours)} == set(seen.of(ours))


def test_without_a_catalog_to_ask_nothing_outside_is_told(groups: FanotifyGroups, root: Path) -> None:
    """What happens beside the root costs no hint; directories come and go there too."""
    watcher = groups.watcher(str(root), no_further_names)
    with started(watcher) as seen:
        (root.parent / "a/b").mkdir(parents=True)
        (root.parent / "a/b/file").write_bytes(b"x")
        strangers = [handle(root.parent / name) for name in ("a", "a/b", "a/b/file")]
        (root.parent / "a").rename(root.parent / "c")
        (root.parent / "c/b/file").unlink()
        assert watcher.barrier(LONG)
        assert [] == seen.of(*strangers)


def test_a_write_through_a_handle(groups: FanotifyGroups, root: Path) -> None:
    """An NFS server writes so: when the kernel cannot name the entry, the object is told by its handle."""
    (root / "file").write_bytes(b"x")
    of_file = handle(root / "file")
    mount = os.open(root, os.O_RDONLY)
    watcher = groups.watcher(str(root), no_further_names)
    with started(watcher) as seen:
        fd = open_by_handle(mount, of_file, os.O_WRONLY)
        os.write(fd, b"y")
        os.close(fd)
        os.close(mount)
        assert watcher.barrier(LONG)
        assert seen.covers(b"file", of_file)


def test_a_name_outside_is_told_by_handle_while_the_object_lives(groups: FanotifyGroups, root: Path) -> None:
    """Of an object of the root, too: from then on it may be written through a name that nobody watches."""
    inside, other = root / "inside", root.parent / "other"
    for one in (inside, other):
        one.touch()
    ours, gone = handle(inside), handle(other)
    watcher = groups.watcher(str(root), no_further_names)
    with started(watcher) as seen:
        os.link(inside, root.parent / "link")
        other.unlink()
        assert watcher.barrier(LONG)
        assert ([False], []) == ([one.content for one in seen.of(ours)], seen.of(gone))


def test_what_others_do_may_gather_for_longer() -> None:
    """After many batches of others alone, and until one has something of ours; never after a few."""
    pause = ReadPause()
    for _ in range(ReadPause.MANY - 1):
        pause.took(is_ours=False)
    before = pause.ms
    pause.took(is_ours=False)
    long = pause.ms
    pause.took(is_ours=True)
    assert (ReadPause.SHORT, ReadPause.LONG, ReadPause.SHORT) == (before, long, pause.ms)


def test_deleting_one_of_several_links_is_told_by_name(groups: FanotifyGroups, root: Path) -> None:
    """The kernel also tells of the changed link count, without a name: that is not told again."""
    (root / "a").touch()
    os.link(root / "a", root / "b")
    watcher = groups.watcher(str(root), no_further_names)
    with started(watcher) as seen:
        (root / "b").unlink()
        assert watcher.barrier(LONG)
        assert {b"b"} == seen.paths()


def test_exchange(groups: FanotifyGroups, root: Path) -> None:
    """Two directories exchanged in one call: later events stand below the right names."""
    for name in ("one", "two"):
        (root / name).mkdir()
    watcher = groups.watcher(str(root), no_further_names)
    root_fd = os.open(root, os.O_RDONLY)
    with started(watcher) as seen:
        (root / "one/before").touch()
        assert watcher.barrier(LONG)
        exchange(root_fd, b"one", root_fd, b"two")
        os.close(root_fd)
        (root / "one/after").touch()
        assert watcher.barrier(LONG)
        assert seen.covers(b"one/after")
        assert not seen.names(b"two/after")
        assert {(b"one", b"two"), (b"two", b"one")} <= {(hint.path, hint.moved_from) for hint in seen.hints}


def test_a_failing_sink_is_said(groups: FanotifyGroups, root: Path) -> None:
    """The reader thread may not die unseen."""
    watcher = groups.watcher(str(root), no_further_names)

    def sink(_: object) -> None:
        raise RuntimeError("the pump is gone")

    watcher.start(sink)
    (root / "file").touch()
    assert not watcher.barrier(LONG)
    assert "reading events failed: RuntimeError: the pump is gone" == watcher.lost
    watcher.stop()
    with started(watcher) as seen:
        (root / "again").touch()
        assert watcher.barrier(LONG)
        assert seen.covers(b"again")


def test_many_barriers_at_once(groups: FanotifyGroups, root: Path) -> None:
    """Each is true for its own thread's writes."""
    watcher = groups.watcher(str(root), no_further_names)
    missed: list[bytes] = []

    def write_and_ask(number: int, seen: SeenHints) -> None:
        for turn in range(25):
            name = b"%d-%d" % (number, turn)
            (root / name.decode()).touch()
            if not watcher.barrier(LONG) or not any(hint.path == name for hint in list(seen.hints)):
                missed.append(name)

    with started(watcher) as seen:
        threads = [threading.Thread(target=write_and_ask, args=(number, seen)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [] == missed


def test_a_write_through_a_name_in_a_directory_that_is_gone_is_told_by_handle(
    groups: FanotifyGroups, root: Path
) -> None:
    """The name that the event tells leads nowhere by the time it is read; the object lives on under another one."""
    (root / "gone").mkdir()
    (root / "gone/name").touch()
    os.link(root / "gone/name", root / "kept")
    watcher = groups.watcher(str(root), no_further_names)
    with started(watcher) as seen:
        seen.hold()
        (root / "other").touch()
        assert seen.entered.wait(LONG)
        (root / "gone/name").write_bytes(b"x")
        (root / "gone/name").unlink()
        (root / "gone").rmdir()
        seen.release()
        assert watcher.barrier(LONG)
        assert handle(root / "kept") in {hint.handle for hint in seen.hints}


def test_the_filesystem_that_is_marked_is_the_one_that_was_opened(
    groups: FanotifyGroups, root: Path, ext4_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way to the root leads elsewhere in between: by a link here, by a mount over it as well."""
    named = root.parent / "named"
    named.symlink_to(root)

    def elsewhere(fd: int) -> bytes:
        named.unlink()
        named.symlink_to(ext4_dir)
        return filesystem_id(fd)

    watcher = groups.watcher(str(named), no_further_names)
    monkeypatch.setattr(fanotify, "filesystem_id", elsewhere)
    with started(watcher) as seen:
        (root / "file").touch()
        assert watcher.barrier(LONG)
        assert {b"file"} == seen.paths()


def refuse(*_: object) -> NoReturn:
    """As where a process has as many descriptors as it may have."""
    raise OSError(errno.EMFILE, "too many open files")


def no_thread(_: object) -> NoReturn:
    """As Python says it."""
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("where", "what", "reason"),
    [
        (threading.Thread, "start", no_thread),
        (os, "pipe2", refuse),
        (handle_paths, "_mount_of", refuse),
    ],
    ids=["thread", "pipe", "root"],
)
def test_a_watch_that_fails_to_begin_leaves_nothing(
    groups: FanotifyGroups,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    what: str,
    reason: Callable[..., NoReturn],
) -> None:
    """No descriptor, no thread, and no group that the next one would join and hear nothing from."""
    watcher = groups.watcher(str(root), no_further_names)
    before = sorted(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as then:
        then.setattr(where, what, reason)
        with pytest.raises(OSError, match=r"too many open files|can't start new thread"):
            watcher.start(SeenHints())
    assert [] == [thread.name for thread in threading.enumerate() if thread.name.startswith("hikae-fanotify")]
    assert before == sorted(os.listdir("/proc/self/fd"))
    with started(watcher) as seen:
        (root / "file").touch()
        assert watcher.barrier(LONG)
        assert {b"file"} == seen.paths()


def test_a_watch_that_fails_to_begin_disturbs_no_other(
    groups: FanotifyGroups, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group that it would have joined goes on."""
    one, two = groups.watcher(str(root), no_further_names), groups.watcher(str(root.parent), no_further_names)
    with started(one) as seen:
        with monkeypatch.context() as then:
            then.setattr(handle_paths, "_mount_of", refuse)
            with pytest.raises(OSError, match="too many open files"):
                two.start(SeenHints())
        (root / "file").touch()
        assert one.barrier(LONG)
        assert {b"file"} == seen.paths()


def test_nobody_joins_a_group_that_reads_no_longer(groups: FanotifyGroups, root: Path) -> None:
    """Its reader has said to all that they are lost; who came afterwards would wait for ever."""
    watcher = groups.watcher(str(root), no_further_names)

    def sink(_: object) -> None:
        raise RuntimeError("the pump is gone")

    watcher.start(sink)
    group = watcher._group
    assert group is not None
    (root / "file").touch()
    assert not watcher.barrier(LONG)
    with pytest.raises(OSError, match="the pump is gone"):
        group.add(watcher)
    watcher.stop()


class AfterLooks:
    """The lock that a group's reader has while it reads. ``then`` is called by the reader whenever it let go of it, with whether
    it had read nothing."""

    def __init__(self, watcher: FanotifyWatcher, then: Callable[[bool], None]) -> None:
        group = watcher._group
        assert group is not None
        self._group, self._then, self._read, self._within = group, then, group._read, False
        self._lock = group._reading
        group._reading = self  # type: ignore[assignment]  # used in with statements only

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        read = self._group._read
        self._lock.release()
        if threading.current_thread() is self._group._thread and not self._within:
            self._within = True
            before, self._read = self._read, read
            self._then(before == read)
            self._within = False


def test_a_look_that_found_nothing_lets_no_later_barrier_pass(groups: FanotifyGroups, root: Path) -> None:
    """The reader found the queue empty; a file, and a barrier behind it, come before it has said so."""
    watcher = groups.watcher(str(root), no_further_names)
    barriers = list[Passing]()
    passed = list[bool | None]()

    def then(nothing: bool) -> None:
        if barriers and not nothing and not passed:
            passed.append(barriers[0](0.0))
        elif nothing and not barriers:
            (root / "file").touch()
            barriers.append(watcher.set_barrier())

    with started(watcher) as seen:
        AfterLooks(watcher, then)
        (root / "first").touch()
        eventually(lambda: passed)
        assert ([False], True) == (passed, barriers[0](LONG))
        assert b"file" in seen.paths()
