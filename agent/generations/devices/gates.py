"""May a device be restored to this target? Where it lies, and whether what comes fits in. Nothing is changed here."""

from __future__ import annotations

import os

from agent.config.nesting import below
from agent.config.values import Dataset, Settings
from agent.core.errors import Refused
from agent.generations.restore.one_file import file_aside
from agent.status.figures import size_text

_RESTORE = "restore"


def refuse_image_place(settings: Settings, target: str) -> None:
    """Raises ``Refused`` for what this node replicates, and for what lies in that or in its own state.

    A device of a dataset of which this node has nothing yet may be a target: so a machine is built anew from its standby."""
    real = os.path.realpath(target)
    for dataset in settings.datasets:
        path = os.path.realpath(dataset.path)
        if dataset.is_device and _is_one(path, real) and _has_any(settings, dataset):
            reason = f"it is what {dataset.name} has here"
            remedy = f"hikae rollback {dataset.name} brings a moment back there; or name another device or file"
            raise Refused(_RESTORE, target, reason, remedy)
        if not dataset.is_device and below(real, path) is not None:
            reason = f"it is inside {dataset.path}, the directory of {dataset.name} here"
            raise Refused(_RESTORE, target, reason, "name a place outside of it")
    for kept in (settings.node.state_dir, *(str(settings.vault(dataset)) for dataset in settings.datasets)):
        if below(real, os.path.realpath(kept)) is not None:
            reason = f"it is inside {kept}, where hikae keeps its own state"
            raise Refused(_RESTORE, target, reason, "name another place")


def refuse_full_place(target: str, room: int) -> None:
    """Raises ``Refused`` where a new file would not fit; what stands there already is not judged. ``room``: bytes of its data."""
    real = os.path.realpath(target)
    above = os.path.dirname(real)
    if os.path.lexists(real) or os.path.lexists(file_aside(real)) or not os.path.isdir(above):
        return
    at = os.statvfs(above)
    free = (at.f_bavail if os.geteuid() else at.f_bfree) * at.f_frsize
    if room > free:
        reason = f"it needs {size_text(room)}, holes not counted, and {size_text(free)} are free"
        raise Refused(_RESTORE, target, reason, "free some room, or name a file on a larger filesystem, or a device")


def _is_one(path: str, other: str) -> bool:
    try:
        a, b = os.stat(path), os.stat(other)
    except OSError:
        return path == other
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) or (a.st_rdev != 0 and a.st_rdev == b.st_rdev)


def _has_any(settings: Settings, dataset: Dataset) -> bool:
    return (settings.home(dataset.name) / "catalog.db").exists()
