"""libfuse 3, and a mount by it. The only module that knows ``mfusepy``."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Protocol

from agent.core.errors import HikaeError, NotFound

_MOUNT = "mount the history"
#: Its names since 3.0, the oldest first.
_LIBRARIES = ("libfuse3.so.3", "libfuse3.so.4")
#: Seconds that the kernel goes by what it was told: what stood at a moment does not change. What is missing is asked for anew.
_KEPT = 3600
DEVICE = "/dev/fuse"
#: What libfuse gives when a mount came to its end by a signal.
_ENDED = 8


@dataclass(frozen=True, slots=True)
class MountOptions:
    """``name``: what is mounted, as ``mount`` shows it; ``allow_other``: users besides the one who mounts may look, as far as
    the modes and access lists of files let them; ``writable``: whether any file takes writes."""

    name: str
    allow_other: bool = False
    writable: bool = False


class ServedFilesystem(Protocol):
    """What answers the kernel, by the callbacks of ``mfusepy``. ``checked``: whether the kernel checks who may look;
    ``was_mounted``: whether it came to that."""

    checked: bool
    was_mounted: bool


def require_fuse() -> None:
    """Raises ``NotFound`` where there is no libfuse 3, or the kernel has none."""
    if _library() is None:
        raise NotFound(_MOUNT, "libfuse3.so.3", "libfuse 3 is not installed", "apt-get install fuse3")
    if not os.path.exists(DEVICE):
        raise NotFound(
            _MOUNT, DEVICE, "the kernel offers no FUSE", "modprobe fuse; in a container, let it have /dev/fuse"
        )


def serve_mount(filesystem: ServedFilesystem, directory: str, options: MountOptions) -> None:
    """Mount it and answer, until it is unmounted or the process is told to end. To be called by the main thread.

    Raises ``HikaeError`` where it cannot be mounted."""
    require_fuse()
    # libfuse 2 would be taken where both are there; it has other structures.
    os.environ["FUSE_LIBRARY_PATH"] = _library() or ""
    import mfusepy

    filesystem.checked = options.allow_other
    chosen = {"allow_other": True, "default_permissions": True} if options.allow_other else {}
    try:
        mfusepy.FUSE(
            filesystem,
            directory,
            foreground=True,
            nothreads=True,
            ro=not options.writable,
            nosuid=True,
            nodev=True,
            fsname=options.name,
            subtype="hikae",
            use_ino=True,
            readdir_ino=True,
            kernel_cache=True,
            attr_timeout=_KEPT,
            entry_timeout=_KEPT,
            **chosen,
        )
    except RuntimeError as error:
        if filesystem.was_mounted and error.args == (_ENDED,):
            return
        reason = f"libfuse gave up with {error}; what it says stands above"
        raise HikaeError(_MOUNT, directory, reason, "see the kernel log (dmesg) too") from error


def _library() -> str | None:
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None
