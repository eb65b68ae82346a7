"""May this target be restored to? Where it lies, and whether what comes fits in. Nothing is changed here."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress

from agent.config.nesting import below, mount_points
from agent.config.values import Settings
from agent.core.errors import Refused
from agent.core.rows import PRIVATE_DIR
from agent.generations.restore.room import NeededRoom
from agent.generations.restore.target import RESTORE_DIR, refusal_of_error
from agent.status.figures import size_text


def refuse_place(settings: Settings, target: str) -> None:
    """Raises ``Refused`` for a target within, or above, what this node replicates or keeps its state in."""
    real = os.path.realpath(target)
    _refuse_device(target, real)
    for dataset in settings.datasets:
        path = os.path.realpath(dataset.path)
        if real == path or (below(real, path) is not None and not _is_mounted_below(real, path)):
            remedy = (
                f"restore {dataset.name} to a directory outside of it; --in-place is for what should stand there again"
            )
            raise Refused(
                "restore", target, f"it is inside {dataset.path}, the directory of {dataset.name} here", remedy
            )
        if below(path, real) is not None:
            raise Refused("restore", target, f"{dataset.path}, of {dataset.name}, lies in it", "name another directory")
    for kept in _state(settings):
        if real == os.path.realpath(kept) or below(real, os.path.realpath(kept)) is not None:
            raise Refused(
                "restore", target, f"it is inside {kept}, where hikae keeps its own state", "name another directory"
            )


def _is_mounted_below(target: str, dataset: str) -> bool:
    """Whether a target lies on a filesystem that is mounted below a dataset's root, and so is no part of it."""
    points = (point for point in mount_points() if below(point, dataset) is not None)
    return any(target == point or below(target, point) is not None for point in points)


def _refuse_device(target: str, real: str) -> None:
    """A tree is no image of a disk, and nothing is ever written over one."""
    try:
        mode = os.stat(real).st_mode
    except OSError:
        return
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        reason = "it is a device, and a tree is restored to a directory"
        remedy = "make a filesystem on it, mount it, and name a directory in it"
        raise Refused("restore", target, reason, remedy)


def _state(settings: Settings) -> Iterator[str]:
    yield settings.node.state_dir
    yield from (str(settings.vault(dataset)) for dataset in settings.datasets)


def is_on_the_vaults_disk(vault: str, target: str) -> bool:
    """Whether both would be lost with one disk."""
    return _device(vault) == _device(target)


def _device(path: str) -> int:
    while not os.path.exists(path):
        path = os.path.dirname(path) or "."
    return os.stat(path).st_dev


def refuse_small(target: str, need: NeededRoom, exactly: Callable[[], NeededRoom]) -> None:
    """Raises ``Refused`` where what comes does not fit into a target that is empty or not there yet; another is not judged: what
    stands in it need not come. ``need``: with holes taken for data; ``exactly``: without, found where that matters."""
    above = os.path.realpath(target)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if above != os.path.realpath(target) or not os.listdir(above):
        _refuse_small_at(above, target, need, exactly)


def refuse_small_in_place(root: str, need: NeededRoom, still: Callable[[], NeededRoom]) -> None:
    """As :func:`refuse_small`, of what is made in a tree that stands. ``still``: what does not stand there yet."""
    _refuse_small_at(root, root, need, still, _begun_bytes(root))


def refuse_small_for_file(target: str, begun: str, need: NeededRoom, exactly: Callable[[], NeededRoom]) -> None:
    """As :func:`refuse_small`, of one file beside what stands there, unless it is ``begun`` already."""
    above = os.path.dirname(os.path.abspath(target))
    if os.path.isdir(above) and not os.path.lexists(begun):
        _refuse_small_at(above, target, need, exactly)


def _begun_bytes(root: str) -> int:
    """What a restore that was cut off has made of files that have no name yet."""
    total = 0
    for directory, _, files in os.walk(os.path.join(root, os.fsdecode(PRIVATE_DIR), RESTORE_DIR)):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total


def _refuse_small_at(
    above: str, target: str, need: NeededRoom, exactly: Callable[[], NeededRoom], there: int = 0
) -> None:
    """``there``: bytes of what comes that were made before, without a name."""
    try:
        at = os.statvfs(above)
    except OSError as error:
        raise refusal_of_error(error, target) from error
    free = (at.f_bavail if os.geteuid() else at.f_bfree) * at.f_frsize + there
    if need.room <= free and not (at.f_files and need.entries > at.f_favail):
        return
    exact = exactly()
    if at.f_files and exact.entries > at.f_favail:
        reason = f"its filesystem has room for {at.f_favail:,} more files, and {exact.entries:,} come"
        raise Refused("restore", target, reason, "name a directory on another filesystem, or name some PATH only")
    if exact.room > free:
        reason = f"it needs {size_text(exact.room)}, holes not counted, and {size_text(free)} are free"
        raise Refused("restore", target, reason, "free some room, name a larger filesystem, or name some PATH only")
