"""How would changes of each device be noticed here, and what is read where they are not?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.config.values import Settings
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.watch.blocks.outlook import TrackingOutlook, tracking_outlook

_WATCH = "watch"
_TRACE = "run the agent as root outside a container, on a kernel with CONFIG_BLK_DEV_IO_TRACE"


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """A dataset that is a device. ``primary``: this node is to begin as its primary."""

    dataset: str
    path: str
    outlook: TrackingOutlook
    primary: bool


def look_at_devices(settings: Settings) -> tuple[DeviceFound, ...]:
    """Each device and image file that this node has."""
    return tuple(
        DeviceFound(one.name, one.path, tracking_outlook(one.path), one.primary == settings.node.name)
        for one in settings.datasets
        if one.is_device
    )


def judge_devices(found: Iterable[DeviceFound]) -> Iterator[Diagnosis]:
    """What would be noticed. Pure."""
    for one in found:
        outlook = one.outlook
        if not outlook.kind:
            if one.primary:
                message = f"{one.path} is not there, and this node is to begin as the primary of {one.dataset}"
                yield Diagnosis("device", Condition.ERROR, message, "attach it, or correct its path", one.dataset)
        elif outlook.missing:
            message = f"changes of its blocks cannot be noticed: {outlook.missing}; all of it is read for each commit"
            yield Diagnosis(_WATCH, Condition.ERROR, message, _TRACE, one.dataset)
        elif outlook.doubt:
            yield Diagnosis(
                _WATCH, Condition.INFO, f"changes are noticed by {outlook.kind}: {outlook.doubt}", "", one.dataset
            )
        else:
            yield good(_WATCH, "changes are noticed by the kernel's block tracepoints", one.dataset)
