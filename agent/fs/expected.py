"""The entry that was looked at, and no other: held by a descriptor whose handle was compared.

Who owns a directory may exchange its names at any moment. So what writes into an object, changes its metadata or gives it a
further name does that through a descriptor that is proved to be the object that was looked at; by name only what cannot
harm another object is done: create exclusively, rename, unlink. After a rename what arrived is looked at.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from agent.fs.component import require_component
from agent.fs.confined import open_pinned
from agent.fs.handles import handle_of, handle_of_fd

_REOPENED = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class StaleEntry(OSError):
    """Another object stands where the expected one was. errno is ESTALE."""


def same_handle(seen: bytes, wanted: bytes) -> bool:
    """Whether two handles (see ``fs.handles``) are those of one object."""
    return seen == wanted


def is_ours_alone(fd: int) -> bool:
    """Whether nobody but this user (and root) can exchange names in an open directory: it is his, and neither its group,
    which a named user of an ACL counts as, nor others may write there."""
    st = os.fstat(fd)
    return st.st_uid == os.geteuid() and not st.st_mode & 0o022


@dataclass(frozen=True, slots=True)
class Expect:
    """Opens entries by name and believes them by handle. ``is_same``: whether the handle that is seen is the one that is
    wanted; a test that shows what the comparison is good for hands in one that does not compare."""

    is_same: Callable[[bytes, bytes], bool] = same_handle

    def pin(self, dir_fd: int, name: bytes, handle: bytes) -> int:
        """An O_PATH descriptor of the entry. ``StaleEntry`` when it is not the one with that handle."""
        pinned = open_pinned(dir_fd, name)
        try:
            if not self.is_same(handle_of_fd(pinned), handle):
                raise StaleEntry(errno.ESTALE, "another object stands here than was looked at", name)
        except BaseException:
            os.close(pinned)
            raise
        return pinned

    def open(self, dir_fd: int, name: bytes, handle: bytes, flags: int = os.O_RDONLY) -> int:
        """The regular file with that handle. ``StaleEntry`` for any other, which is not opened: a device would notice."""
        pinned = self.pin(dir_fd, name, handle)
        try:
            if not stat.S_ISREG(os.fstat(pinned).st_mode):
                raise StaleEntry(errno.ESTALE, "no regular file stands here", name)
            return _reopened(pinned, flags)
        finally:
            os.close(pinned)

    def arrived(self, dir_fd: int, name: bytes, handle: bytes) -> bool:
        """Whether the object with that handle stands at a name of a directory that nobody else may write, after a rename."""
        try:
            return self.is_same(handle_of(dir_fd, name), handle)
        except FileNotFoundError:
            return False


#: What everybody uses.
BY_HANDLE = Expect()


def _reopened(pinned: int, flags: int) -> int:
    path = b"/proc/self/fd/%d" % pinned
    if flags & os.O_ACCMODE == os.O_RDONLY:
        try:
            return os.open(path, flags | _REOPENED | os.O_NOATIME)
        except PermissionError:
            # O_NOATIME is for the owner and CAP_FOWNER only.
            pass
    return os.open(path, flags | _REOPENED)


def link_pinned(pinned: int, dir_fd: int, name: bytes) -> None:
    """A further name for the object that is open by O_PATH; for a symlink itself. FileExistsError if anything is there."""
    require_component(name)
    os.link(b"/proc/self/fd/%d" % pinned, name, dst_dir_fd=dir_fd, follow_symlinks=True)
