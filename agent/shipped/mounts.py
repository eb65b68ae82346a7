"""What is mounted with the role: a filesystem, or a view of the standby that is read-only until it is promoted.

The agent writes by the dataset's own path. Who only reads is shown it at another, which becomes writable with the role."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from agent.core.errors import HikaeError, Refused
from agent.shipped.running import output_of

_OPERATION = "mount"


@dataclass(frozen=True, slots=True)
class MountedAt:
    """What is mounted at a directory. ``source``: as findmnt(8) says it, with ``[/directory]`` behind it for a bind mount."""

    source: str
    options: tuple[str, ...]

    @property
    def is_read_only(self) -> bool:
        """Whether this mount is, whatever its filesystem is."""
        return "ro" in self.options


def mounted_at(directory: str) -> MountedAt | None:
    """The topmost mount at that very directory; None where it is no mount point. Raises ``HikaeError``."""
    if not os.path.ismount(directory) and not _is_mount_point(directory):
        return None
    words = ("findmnt", "--json", "--output", "SOURCE,VFS-OPTIONS", "--mountpoint", directory)
    found: list[dict[str, Any]] = json.loads(output_of(words, _OPERATION, directory))["filesystems"]  # Any: JSON
    last = found[-1]
    return MountedAt(str(last["source"]), tuple(str(last["vfs-options"]).split(",")))


def mount_source(source: str, directory: str, kind: str = "", options: str = "") -> str:
    """The source is mounted there; what was done. Raises ``Refused`` where something else is, ``HikaeError``."""
    found = mounted_at(directory)
    if found is not None:
        if os.path.realpath(found.source) == os.path.realpath(source):
            return f"{source} is mounted at {directory}"
        raise Refused(_OPERATION, directory, f"{found.source} is mounted there", f"umount {directory}")
    more = (*(("--types", kind) if kind else ()), *(("--options", options) if options else ()))
    output_of(("mount", *more, "--", source, directory), _OPERATION, directory, "see dmesg for what the kernel says")
    return f"{source} was mounted at {directory}"


def unmount(directory: str) -> str:
    """Nothing is mounted there; what was done. Raises ``HikaeError``."""
    if mounted_at(directory) is None:
        return f"nothing is mounted at {directory}"
    output_of(("umount", "--", directory), "unmount", directory, f"fuser -vm {directory} shows who uses it")
    return f"{directory} was unmounted"


def show(directory: str, view: str, *, writable: bool) -> str:
    """The directory is shown at ``view``, writable there or not; what was done. Raises ``Refused``, ``HikaeError``."""
    if not _is_same(directory, view):
        if mounted_at(view) is not None:
            raise Refused(_OPERATION, view, "something else is mounted there", f"umount {view}")
        output_of(("mount", "--bind", "--", directory, view), _OPERATION, view, "both must be directories")
    elif mounted_at(view) is None:
        raise Refused(_OPERATION, view, f"it is {directory} itself", "name another directory for the view")
    wanted = "rw" if writable else "ro"
    output_of(("mount", "--options", f"remount,bind,{wanted}", "--", view), _OPERATION, view, f"fuser -vm {view}")
    return f"{directory} is shown at {view}, {'writable' if writable else 'read-only'}"


def _is_same(directory: str, view: str) -> bool:
    try:
        return os.path.samefile(directory, view)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HikaeError(_OPERATION, view, f"{error.filename}: {reason}", f"mkdir -p {view}") from error


def _is_mount_point(directory: str) -> bool:
    """A bind mount of the same filesystem is one, too, which only the list of mounts tells."""
    wanted = os.path.realpath(directory)
    with open("/proc/self/mountinfo", "rb") as file:
        paths = (line.split()[4].decode("unicode_escape").encode("latin-1") for line in file)
        return os.fsencode(wanted) in paths
