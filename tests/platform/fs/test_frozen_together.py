"""Several filesystems of one disk that stand still together: all of them or none, and every one is thawed."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.fs.freezing import FIFREEZE, FITHAW, mark_frozen, thaw_marked
from agent.fs.thaw_guard import MARK, CannotFreeze, FreezeFailed, ThawGuard
from fakes.eventually import eventually
from fakes.loop_image import can_mount, filesystem

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")

SLOW = 60.0
Roots = tuple[Path, Path]


@pytest.fixture
def roots(tmpfs_dir: Path) -> Iterator[Roots]:
    """Two filesystems."""
    (tmpfs_dir / "a").mkdir()
    (tmpfs_dir / "b").mkdir()
    with filesystem("ext4", tmpfs_dir / "a") as one, filesystem("xfs", tmpfs_dir / "b") as other:
        yield one, other


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[ThawGuard]:
    """A guard that runs."""
    made = ThawGuard(tmp_path)
    made.start()
    yield made
    made.close()


@pytest.fixture
def opened(roots: Roots) -> Iterator[list[tuple[int, str]]]:
    """Both, as they are frozen."""
    found = [(os.open(root, os.O_RDONLY | os.O_DIRECTORY), str(root)) for root in roots]
    yield found
    for fd, _ in found:
        os.close(fd)


def is_frozen(fd: int) -> bool:
    """Whether it stands still."""
    try:
        fcntl.ioctl(fd, FIFREEZE, 0)
    except OSError:
        return True
    fcntl.ioctl(fd, FITHAW, 0)
    return False


def test_all_stand_still(opened: list[tuple[int, str]], guard: ThawGuard, tmp_path: Path) -> None:
    """Within the block both do, after it neither, and no mark is left."""
    with guard.all_frozen(opened, SLOW):
        within = [is_frozen(fd) for fd, _ in opened]
    after = [is_frozen(fd) for fd, _ in opened]
    assert ([True, True], [False, False], False) == (within, after, (tmp_path / MARK).exists())


def test_one_that_cannot_leaves_none_frozen(opened: list[tuple[int, str]], guard: ThawGuard) -> None:
    """A filesystem that knows no freeze is named, and those before it go on."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(CannotFreeze) as refused, guard.all_frozen([*opened, (proc, "/proc")], SLOW):
            pass
    finally:
        os.close(proc)
    assert ("/proc", [False, False]) == (refused.value.subject, [is_frozen(fd) for fd, _ in opened])


def test_one_that_another_froze_is_left_to_it(opened: list[tuple[int, str]], guard: ThawGuard) -> None:
    """Whoever froze it thaws it; the other one goes on."""
    fcntl.ioctl(opened[1][0], FIFREEZE, 0)
    with pytest.raises(FreezeFailed, match="another program has frozen it"), guard.all_frozen(opened, SLOW):
        pass
    found = [is_frozen(fd) for fd, _ in opened]
    fcntl.ioctl(opened[1][0], FITHAW, 0)
    assert [False, True] == found


def test_all_are_thawed_at_the_deadline(opened: list[tuple[int, str]], guard: ThawGuard) -> None:
    """Whatever becomes of who asked."""
    with pytest.raises(FreezeFailed, match="deadline"), guard.all_frozen(opened, 0.3):
        eventually(lambda: not any(is_frozen(fd) for fd, _ in opened))


def test_all_are_thawed_when_the_guard_is_killed(opened: list[tuple[int, str]], guard: ThawGuard) -> None:
    """The agent does it then."""
    assert guard.process is not None
    with pytest.raises(FreezeFailed, match="the guard was killed"), guard.all_frozen(opened, SLOW):
        os.kill(guard.process, signal.SIGKILL)
    assert [False, False] == [is_frozen(fd) for fd, _ in opened]


def test_all_that_a_mark_names_are_thawed(opened: list[tuple[int, str]], tmp_path: Path) -> None:
    """After an end of agent and guard."""
    mark = tmp_path / "left"
    mark_frozen(str(mark), [(path, os.fstat(fd).st_dev) for fd, path in opened])
    mark.write_text(mark.read_text().replace(f'"guard": {os.getpid()}', '"guard": 4194304'))
    for fd, _ in opened:
        fcntl.ioctl(fd, FIFREEZE, 0)
    done = thaw_marked(str(mark))
    paths = ", ".join(path for _, path in opened)
    assert (f"{paths} was left frozen and is thawed", [False, False]) == (done, [is_frozen(fd) for fd, _ in opened])
