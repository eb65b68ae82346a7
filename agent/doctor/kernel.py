"""What does this kernel, and what stands around it, let the agent do? And what does it do where it cannot?"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from agent.config.values import Dataset, Settings
from agent.core.errors import HikaeError
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.roles.rehearsal.walls import WallsMissing, filter_of
from agent.steps.transient import service_manager
from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import no_further_names

_FUSE, _LOOPS = "/dev/fuse", "/dev/loop-control"
_NAMESPACES = ("mnt", "net", "pid", "ipc")


@dataclass(frozen=True, slots=True)
class WatchFound:
    """How a dataset's changes would be noticed: ``kind`` and ``why``; ``refused``: why not as the configuration asks, "" where it
    can; ``absent``: its directory is not there."""

    dataset: str
    kind: str = ""
    why: str = ""
    refused: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """``privileged``: whether this process may what the agent may. ``namespaces``: kinds that may not be made, ``walls``: why a
    probe cannot be fenced in, "" where it can. ``fuse``, ``loops``: whether a device can be shown to a probe. What nothing
    configured needs (``rehearses``, a tree, ``rehearses_devices``, ``freezes``) is not judged."""

    privileged: bool
    watches: tuple[WatchFound, ...]
    systemd: bool
    overlay: bool
    namespaces: tuple[str, ...]
    walls: str
    fuse: bool
    rehearses: bool = False
    freezes: bool = False
    loops: bool = True
    rehearses_devices: bool = False


def look_at_kernel(settings: Settings) -> KernelFacts:
    """Ask the kernel; nothing is mounted, made or watched."""
    privileged, groups = os.geteuid() == 0, FanotifyGroups()
    datasets = settings.datasets
    return KernelFacts(
        privileged,
        tuple(_watch(one, groups) for one in datasets if one.kind == "tree"),
        systemd=bool(service_manager()),
        overlay=_has_overlay(),
        namespaces=tuple(kind for kind in _NAMESPACES if _number(f"/proc/sys/user/max_{kind}_namespaces") == 0),
        walls=_walls(),
        fuse=os.path.exists(_FUSE),
        loops=os.path.exists(_LOOPS),
        rehearses=any(_has_probe(one) for one in datasets if not one.is_device),
        rehearses_devices=any(_has_probe(one) for one in datasets if one.is_device),
        freezes=any(one.quiesce == "freeze" or one.kind == "device" for one in datasets),
    )


def judge_kernel(facts: KernelFacts) -> Iterator[Diagnosis]:
    """What can be done here, and what the agent does instead of what cannot. Pure."""
    for watch in facts.watches:
        yield from _judge_watch(watch, privileged=facts.privileged)
    yield _judge_systemd(facts)
    if facts.rehearses or facts.rehearses_devices:
        yield from _judge_rehearsal(facts)
    if not facts.fuse:
        message = f"{_FUSE} is not there: history can be restored and searched, and not mounted"
        yield Diagnosis("fuse", Condition.INFO, message, "apt-get install fuse3, and modprobe fuse")


def _judge_watch(watch: WatchFound, *, privileged: bool) -> Iterator[Diagnosis]:
    name = "watch"
    if watch.absent:
        return
    if watch.refused:
        remedy = 'write watch = "auto", or mend what it says'
        yield Diagnosis(
            name, Condition.ERROR, f"changes cannot be noticed as asked: {watch.refused}", remedy, watch.dataset
        )
    elif watch.kind == "fanotify":
        yield good(name, f"changes are noticed by fanotify: {watch.why}", watch.dataset)
    elif not privileged:
        message = "whether fanotify can be used is seen by root alone"
        yield Diagnosis(name, Condition.UNKNOWN, message, "sudo hikae doctor", watch.dataset)
    else:
        message = f"changes are noticed by {watch.kind}: {watch.why}; what it does not see is found by the reconcile"
        yield Diagnosis(name, Condition.INFO, message, "", watch.dataset)


def _judge_systemd(facts: KernelFacts) -> Diagnosis:
    if facts.systemd:
        return good("systemd", "hooks, probes and the thaw guard run in transient units of their own")
    if not facts.privileged:
        return Diagnosis(
            "systemd", Condition.UNKNOWN, "whether systemd obeys is seen by root alone", "sudo hikae doctor"
        )
    message = "no systemd answers: hooks and probes run as children of the agent, and end with it if it is killed"
    guard = "; the thaw guard is a session of its own" if facts.freezes else ""
    return Diagnosis("systemd", Condition.INFO, message + guard)


def _judge_rehearsal(facts: KernelFacts) -> Iterator[Diagnosis]:
    name, missing = "rehearsal", []
    if facts.rehearses and not facts.overlay:
        missing.append("the kernel has no overlayfs (modprobe overlay)")
    if facts.rehearses_devices and not facts.fuse:
        missing.append(f"{_FUSE} is not there, by which a device is shown (apt-get install fuse3; modprobe fuse)")
    if facts.rehearses_devices and not facts.loops:
        missing.append(f"{_LOOPS} is not there: a device is shown as a loop device (modprobe loop)")
    if facts.namespaces:
        missing.append(f"namespaces are switched off (sysctl user.max_{facts.namespaces[0]}_namespaces)")
    if facts.walls:
        missing.append(facts.walls)
    if missing:
        message = f"hikae rehearse cannot show a probe the standby: {'; '.join(missing)}"
        yield Diagnosis(name, Condition.WARNING, message, "mend what it says, and try it: hikae rehearse")
    else:
        shown = [
            *(["overlayfs"] if facts.rehearses else []),
            *(["FUSE", "loop devices"] if facts.rehearses_devices else []),
        ]
        message = f"{', '.join(shown)}, namespaces and the filter of system calls are there for a rehearsal"
        yield good(name, message)


def _has_probe(dataset: Dataset) -> bool:
    return dataset.hooks.probe is not None and dataset.hooks.probe.does


def _watch(dataset: Dataset, groups: FanotifyGroups) -> WatchFound:
    if not os.path.isdir(dataset.path):
        return WatchFound(dataset.name, absent=True)
    try:
        watcher = choose(dataset.path, None if dataset.watch == "auto" else dataset.watch, groups, no_further_names)
    except HikaeError as error:
        return WatchFound(dataset.name, refused=str(error))
    return WatchFound(dataset.name, watcher.kind, watcher.why)


def _has_overlay() -> bool:
    try:
        with open("/proc/filesystems") as file:
            if "\toverlay\n" in file.read():
                return True
    except OSError:
        return False
    return os.path.exists(f"/lib/modules/{platform.release()}/kernel/fs/overlayfs")


def _number(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _walls() -> str:
    try:
        filter_of(platform.machine())
    except WallsMissing as error:
        return str(error)
    return ""
