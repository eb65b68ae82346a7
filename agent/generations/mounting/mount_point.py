"""May this directory be mounted on? A look before anything is opened, with a sentence for each way in which it is none."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from agent.core.errors import NotFound, NotPermitted, Refused
from agent.status.text import shown

_MOUNT = "mount the history"


def require_mount_point(directory: str, kept_apart: Mapping[str, str]) -> None:
    """``kept_apart``: directories that it may not lie in, each with what it is. Raises ``NotFound``, ``Refused``,
    ``NotPermitted``."""
    try:
        found = os.listdir(directory)
    except OSError as error:
        raise _unusable(directory, error) from error
    if found:
        reason = f"it is not empty: {shown(found[0])} would be hidden"
        raise Refused(_MOUNT, directory, reason, "name an empty directory")
    if os.path.ismount(directory):
        raise Refused(_MOUNT, directory, "something is mounted there", f"umount {directory}, or name another directory")
    real = os.path.realpath(directory)
    for path, what in kept_apart.items():
        if os.path.commonpath((real, os.path.realpath(path))) == os.path.realpath(path):
            raise Refused(_MOUNT, directory, f"it lies in {what}, {path}", "name a directory elsewhere")


def _unusable(directory: str, error: OSError) -> Exception:
    match error.errno:
        case errno.ENOENT:
            return NotFound(_MOUNT, directory, "there is no such directory", f"mkdir {directory}")
        case errno.ENOTDIR:
            return Refused(_MOUNT, directory, "it is no directory", "name an empty directory")
        case errno.ENOTCONN:
            return Refused(_MOUNT, directory, "a mount whose process was killed is still there", f"umount {directory}")
        case _:
            return NotPermitted(_MOUNT, directory, os.strerror(error.errno or 0), "use sudo")
