"""The thaw guard on real filesystems: what is frozen is thawed within its deadline, whoever is killed, and only that.

A filesystem that stands still is told by a writer of its own that writes all the time: how long its longest write took.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.errors import HikaeError
from agent.fs.freezing import FIFREEZE, FITHAW, thaw_marked
from agent.fs.thaw_guard import MARK, FreezeFailed, GuardLimits, ThawGuard, thaw_what_was_left
from fakes.eventually import eventually
from fakes.loop_image import can_mount, filesystem
from fakes.syncing_writer import SyncingWriter

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")

#: Seconds. A freeze may take as long as it has to write back; the machine may be slow.
DEADLINE, SLOW = 1.0, 60.0
ROUNDS = 100 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 10


@pytest.fixture(params=["ext4", "xfs"])
def root(request: pytest.FixtureRequest, tmpfs_dir: Path) -> Iterator[Path]:
    """A filesystem of its own on a loop device."""
    with filesystem(request.param, tmpfs_dir) as there:
        yield there


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A directory, open."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def guarded(place: Path) -> Iterator[ThawGuard]:
    """A guard that runs."""
    guard = ThawGuard(place)
    guard.start()
    try:
        yield guard
    finally:
        guard.close()


def is_frozen(root: Path) -> bool:
    """Whether it stands still: another freeze finds it frozen, and one that is not is thawed again."""
    with opened(root) as fd:
        try:
            fcntl.ioctl(fd, FIFREEZE, 0)
        except OSError:
            return True
        fcntl.ioctl(fd, FITHAW, 0)
    return False


def test_stands_still_within(root: Path, tmp_path: Path) -> None:
    """Within the block nothing can be written, after it everything goes on, and no mark is left."""
    with guarded(tmp_path) as guard, opened(root) as fd:
        with guard.frozen(fd, str(root), SLOW):
            assert (True, True) == (is_frozen(root), (tmp_path / MARK).exists())
        (root / "after").write_text("x")
        assert (False, False) == (is_frozen(root), (tmp_path / MARK).exists())


def test_deadline(root: Path, tmp_path: Path) -> None:
    """It is thawed at the deadline whatever the agent does, and the agent is told that it did not stand still."""
    with guarded(tmp_path) as guard, opened(root) as fd:
        with pytest.raises(FreezeFailed, match="the deadline came first"), guard.frozen(fd, str(root), 0.2):
            (root / "waits").write_text("until it is thawed")
        with guard.frozen(fd, str(root), SLOW):
            pass
        assert not is_frozen(root)


def test_frozen_by_another(root: Path, tmp_path: Path) -> None:
    """What somebody else froze is refused, told, and left as it is: he thaws it."""
    with guarded(tmp_path) as guard, opened(root) as fd:
        fcntl.ioctl(fd, FIFREEZE, 0)
        try:
            with pytest.raises(FreezeFailed, match="another program has frozen it"), guard.frozen(fd, str(root), SLOW):
                pass
            assert (True, False) == (is_frozen(root), (tmp_path / MARK).exists())
        finally:
            fcntl.ioctl(fd, FITHAW, 0)


def test_cannot_be_frozen(tmp_path: Path, tmpfs_dir: Path) -> None:
    """A filesystem that cannot be frozen is refused with what to write instead."""
    with (
        guarded(tmp_path) as guard,
        opened(tmpfs_dir) as fd,
        pytest.raises(FreezeFailed, match='quiesce = "none"'),
        guard.frozen(fd, str(tmpfs_dir), SLOW),
    ):
        pass


def test_guard_killed(root: Path, tmp_path: Path) -> None:
    """A guard that is killed while it stands still is an error, after which it is thawed; the next freeze has a new guard."""
    with guarded(tmp_path) as guard, opened(root) as fd:
        first = guard.process
        assert first is not None
        with pytest.raises(FreezeFailed, match="the guard was killed"), guard.frozen(fd, str(root), SLOW):
            os.kill(first, signal.SIGKILL)
        assert (False, False) == (is_frozen(root), (tmp_path / MARK).exists())
        with guard.frozen(fd, str(root), SLOW):
            assert first != guard.process


TOLD = "print(guard.process, flush=True)"
#: An agent that freezes again and again: place, root, seconds.
AGENT = """
import os, sys
from pathlib import Path
from agent.fs.thaw_guard import FreezeFailed, ThawGuard
guard = ThawGuard(Path(sys.argv[1]))
guard.start()
fd = os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY)
while True:
    try:
        with guard.frozen(fd, sys.argv[2], float(sys.argv[3])):
            print(guard.process, flush=True)
    except FreezeFailed:
        print(guard.process or 0, flush=True)
"""


def test_killed_by_turns(root: Path, tmp_path: Path, rng: random.Random) -> None:
    """Agent and guard killed by turns at any moment around freezes under load: it is thawed within the deadline each time."""
    with SyncingWriter(root) as writer:
        for turn in range(ROUNDS):
            agent = subprocess.Popen(
                (sys.executable, "-c", AGENT, str(tmp_path), str(root), str(DEADLINE)),
                stdout=subprocess.PIPE,
                text=True,
            )
            assert agent.stdout is not None
            guard = int(agent.stdout.readline())
            threading.Event().wait(rng.random() * 0.1)
            if turn % 2 and guard:
                kill(guard)
                threading.Event().wait(rng.random() * 0.05)
            agent.kill()
            agent.wait()
            agent.stdout.close()
            # What the unit does at the agent's end, and every start of the agent.
            thaw_marked(str(tmp_path / MARK), SLOW)
            before = writer.written
            eventually(lambda before=before: writer.written > before)  # type: ignore[misc]
            # A guard that lives on may just have been asked when its agent was killed: it thaws as soon as it sees that.
            eventually(lambda: not is_frozen(root))
            eventually(lambda: not (tmp_path / MARK).exists())
    print(
        f"\nlongest stall of a writer: {writer.longest * 1000:.0f} ms over {ROUNDS} kills, {writer.written} files written"
    )


def kill(process: int) -> None:
    """Kill it, if it is still there."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_both_killed(root: Path, tmp_path: Path) -> None:
    """What both left frozen is thawed by the program alone, without the agent's environment; and by the next start."""
    for thaws in (by_program, by_start):
        assert None is thaw_what_was_left(tmp_path)
        waits = AGENT.replace(TOLD, f"{TOLD}; os.read(0, 1)")
        words = (sys.executable, "-c", waits, str(tmp_path), str(root), str(SLOW))
        agent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert agent.stdout is not None
        assert agent.stdin is not None
        guard = int(agent.stdout.readline())
        os.kill(guard, signal.SIGKILL)
        agent.kill()
        agent.wait()
        agent.stdout.close()
        agent.stdin.close()
        said = thaws(tmp_path)
        assert ("was left frozen and is thawed" in said, False) == (True, is_frozen(root)), said


def by_program(place: Path) -> str:
    """What ``ExecStopPost`` runs."""
    words = (sys.executable, "-I", "-S", "-B", str(place / "thaw.py"), "thaw", str(place / MARK))
    return subprocess.run(words, capture_output=True, text=True, check=True, env={}).stderr


def by_start(place: Path) -> str:
    """What each start does."""
    return thaw_what_was_left(place) or ""


#: A guard that hears and says nothing, and ends when it is let.
DEAF = """
import os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
    agent.connect(sys.argv[2])
    with open(os.environ["LET_GO"]) as fifo:
        fifo.read()
"""


def test_hangs(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A freeze that does not come to its end is told, and nothing more is frozen until it does."""
    let_go = tmp_path / "let-go"
    os.mkfifo(let_go)
    monkeypatch.setenv("LET_GO", str(let_go))
    guard = ThawGuard(tmp_path, GuardLimits(hang=0.1), (sys.executable, "-c", DEAF))
    with opened(root) as fd:
        for told in ("the kernel has not frozen it after 0.2 s", "the kernel has not frozen it"):
            with pytest.raises(FreezeFailed, match=told), guard.frozen(fd, str(root), 0.1):
                pass
    let_go.write_text("")
    guard.close()
    assert not is_frozen(root)


def test_no_guard(tmp_path: Path, root: Path) -> None:
    """A guard that cannot be started freezes nothing, and says so."""
    guard = ThawGuard(tmp_path, GuardLimits(begin=0.5), (sys.executable, "-c", "pass"))
    with pytest.raises(HikaeError, match="cannot start the thaw guard"):
        guard.start()
    assert (False, []) == (is_frozen(root), list(tmp_path.glob("*.sock")))


def test_memory_is_locked(tmp_path: Path) -> None:
    """The guard's memory is locked, so that it waits for no disk."""

    def locked() -> int:
        return int(Path(f"/proc/{guard.process}/status").read_text().split("VmLck:")[1].split()[0])

    with guarded(tmp_path) as guard:
        assert eventually(lambda: locked() > 1000)
