"""Which watcher a root gets, and why."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from agent.core.errors import ConfigError, HikaeError, NotFound, NotPermitted
from agent.fs.confined import open_root
from agent.fs.handles import filesystem_magic
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Known, Watcher
from agent.watch.inotify import InotifyWatcher
from agent.watch.polling import PollingWatcher

KINDS = ("fanotify", "inotify", "polling")

#: Filesystems that others change too, or that raise no events, by their magic number (linux/magic.h).
_WITHOUT_EVENTS = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x65735546: "FUSE",
    0x01021997: "9P",
    0x786F4256: "vboxsf",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x7461636F: "OCFS2",
    0x01161970: "GFS2",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x00BEEF01: "vmhgfs",
    0xBACBACBC: "vmhgfs",
}


def choose(
    root: str,
    forced: str | None,
    groups: FanotifyGroups,
    known: Known,
    *,
    magic_of: Callable[[int], int] = filesystem_magic,
) -> Watcher:
    """The best watcher that works for ``root``, not started; ``kind`` and ``why`` say which.

    ``forced``: one of ``KINDS``, or None; ``magic_of``: what kind of filesystem an open directory is on. Raises ``NotFound``
    without the root, ``NotPermitted`` or ``ConfigError`` when what is forced cannot be had."""
    if forced is not None and forced not in KINDS:
        raise ConfigError("watch", root, f"there is no watcher {forced!r}", f"write one of: {', '.join(KINDS)}")
    try:
        silent = _filesystem_without_events(root, magic_of)
        refusal = groups.refusal(root) if forced == "fanotify" or (forced is None and silent is None) else None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("watch", root, "there is no such directory", "create it, or correct `path`") from error
    except OSError as error:
        raise NotPermitted("watch", root, str(error.strerror), "let the agent read the directory") from error
    if forced is not None:
        return _forced(root, forced, groups, known, refusal)
    if silent is not None:
        return PollingWatcher(root, f"{silent} tells of no changes that others make")
    if refusal is None:
        return groups.watcher(root, known, "every change on the filesystem is told")
    return InotifyWatcher(root, f"fanotify cannot be used: {_reason(refusal)}")


def _forced(root: str, kind: str, groups: FanotifyGroups, known: Known, refusal: OSError | None) -> Watcher:
    why = "the configuration says so"
    if kind == "inotify":
        return InotifyWatcher(root, why)
    if kind == "polling":
        return PollingWatcher(root, why)
    if refusal is not None:
        raise _impossible(root, refusal) from refusal
    return groups.watcher(root, known, why)


def _impossible(root: str, refusal: OSError) -> HikaeError:
    reason = _reason(refusal)
    if refusal.errno == errno.EPERM:
        remedy = "run the agent as root (CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH), or let it choose the watcher"
        return NotPermitted("watch with fanotify", root, reason, remedy)
    return ConfigError("watch with fanotify", root, reason, "let the agent choose the watcher")


def _reason(error: OSError) -> str:
    reasons = {
        errno.EPERM: "it needs root (CAP_SYS_ADMIN)",
        errno.ENOSYS: "this kernel has it not",
        errno.EINVAL: "this kernel is too old (5.9 is needed)",
        errno.EXDEV: "a btrfs subvolume cannot be marked",
        errno.ENODEV: "this filesystem cannot be marked",
        errno.EOPNOTSUPP: "this filesystem cannot be marked, or gives no file handles",
        errno.EMFILE: "too many groups are open: raise fs.fanotify.max_user_groups",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))


def filesystem_of_others(magic: int) -> str | None:
    """The kind of a filesystem that others write too, or that is no disk's, by its magic number; None for any other."""
    return _WITHOUT_EVENTS.get(magic)


def _filesystem_without_events(root: str, magic_of: Callable[[int], int]) -> str | None:
    fd = open_root(root)
    try:
        return filesystem_of_others(magic_of(fd))
    finally:
        os.close(fd)
