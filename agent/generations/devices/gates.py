"""May a device be restored to this target? Where it lies, and whether what comes fits in. Nothing is changed here."""

from __future__ import annotations

import os

from agent.config.nesting import below
from agent.config.places import overlap_of, placed_device
from agent.config.values import Dataset, Settings
from agent.core.errors import Refused
from agent.fs.block_device import BlockPlaces, lies_below
from agent.generations.restore.one_file import file_aside
from agent.status.figures import size_text

_RESTORE = "restore"


def refuse_image_place(settings: Settings, target: str) -> None:
    """Raises ``Refused`` for what this node replicates, be it a part of it or what it is a part of, and for what lies in that or
    in its own state; of a loop device its file lies there.

    A device of a dataset of which this node has nothing yet may be a target: so a machine is built anew from its standby."""
    real = os.path.realpath(target)
    for place in (real, *lies_below(real, BlockPlaces())):
        _refuse_place(settings, target, place)


def _refuse_place(settings: Settings, target: str, real: str) -> None:
    for dataset in settings.datasets:
        path = os.path.realpath(dataset.path)
        is_own = f"is what {dataset.name} has here" if path == real else _overlap(path, real, dataset.name)
        if dataset.is_device and is_own and _has_any(settings, dataset):
            through = "" if os.path.realpath(target) == real else f"{real}, on which it stands, "
            remedy = f"hikae rollback {dataset.name} brings a moment back there; or name another device or file"
            raise Refused(_RESTORE, target, f"{through or 'it '}{is_own}", remedy)
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


def _overlap(path: str, other: str, dataset: str) -> str:
    """What ``other`` is of a dataset's device, in words; "" where they have nothing in common."""
    here, there = placed_device(path), placed_device(other)
    said = overlap_of(here, there) if here is not None and there is not None else ""
    return f"{said} {dataset} has here" if said else ""


def _has_any(settings: Settings, dataset: Dataset) -> bool:
    return (settings.home(dataset.name) / "catalog.db").exists()
