"""May this target be restored to? Where it lies, and whether what comes fits in. Nothing is changed here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from agent.config.nesting import below, mount_points
from agent.config.values import Settings
from agent.core import chunks
from agent.core.chunks import HOLE, PIECE
from agent.core.errors import HikaeError, Refused
from agent.core.ids import ROOT
from agent.core.rows import decode_object, file_type_of
from agent.generations.reading import MomentReader
from agent.generations.restore.asked import Cover, Parts
from agent.generations.restore.walk import path_below
from agent.status.figures import size_text

#: What an entry takes beside its content, and the unit in which a filesystem gives room, bytes.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class NeededRoom:
    """What a restore makes: entries, bytes of their sizes, and bytes that they take on a disk, holes as holes."""

    entries: int
    size: int
    room: int


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


def needed(moment: MomentReader, parts: Parts, exactly: bool) -> NeededRoom:
    """What a restore of these parts makes. Not ``exactly``: holes are taken for data, which costs no look into long lists.
    Raises as :meth:`MomentReader.content`."""
    entries = size = room = 0
    levels = [(ROOT, b"")]
    while levels:
        id, path = levels.pop()
        for entry in moment.every_entry(id):
            inner = path_below(path, entry.name)
            if parts.cover(inner) is Cover.OUTSIDE:
                continue
            entries += 1
            room += _BLOCK
            if file_type_of(entry.raw) == stat.S_IFDIR:
                levels.append((entry.id, inner))
            elif file_type_of(entry.raw) == stat.S_IFREG:
                row = decode_object(entry.raw)
                size += row.size
                data = _data(moment, row.content) if exactly else row.size
                room += data + -data % _BLOCK
    return NeededRoom(entries, size, room)


def _data(moment: MomentReader, content: bytes) -> int:
    try:
        return sum(one.length for one in chunks.unfold(content, moment.chunk) if one.kind != HOLE)
    except HikaeError:
        # What cannot be read is told by the restore itself.
        return sum(one.length for one in chunks.decode(content) if one.kind not in (HOLE, PIECE))


def refuse_small(target: str, moment: MomentReader, parts: Parts, need: NeededRoom) -> None:
    """Raises ``Refused`` where what comes does not fit into a target that is empty or not there yet; another is not judged: what
    stands in it need not come. ``need``: with holes taken for data."""
    above = os.path.realpath(target)
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    if above != os.path.realpath(target) or not os.listdir(above):
        _refuse_small_at(above, target, moment, parts, need)


def refuse_small_for_file(target: str, begun: str, moment: MomentReader, parts: Parts, need: NeededRoom) -> None:
    """As :func:`refuse_small`, of one file beside what stands there, unless it is ``begun`` already."""
    above = os.path.dirname(os.path.abspath(target))
    if os.path.isdir(above) and not os.path.lexists(begun):
        _refuse_small_at(above, target, moment, parts, need)


def _refuse_small_at(above: str, target: str, moment: MomentReader, parts: Parts, need: NeededRoom) -> None:
    at = os.statvfs(above)
    free = (at.f_bavail if os.geteuid() else at.f_bfree) * at.f_frsize
    if at.f_files and need.entries > at.f_favail:
        reason = f"its filesystem has room for {at.f_favail:,} more files, and {need.entries:,} come"
        raise Refused("restore", target, reason, "name a directory on another filesystem")
    if need.room <= free:
        return
    exact = needed(moment, parts, exactly=True)
    if exact.room > free:
        reason = f"it needs {size_text(exact.room)}, holes not counted, and {size_text(free)} are free"
        raise Refused("restore", target, reason, "free some room, name a larger filesystem, or name some PATH only")
