"""What an error of the operating system says of a path that was looked at. Pure."""

from __future__ import annotations

import errno

#: Something else stands there by now, or nothing: another look finds out.
ELSEWHERE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE),
    *(errno.ENXIO, errno.EISDIR, errno.ENODEV, errno.EXDEV),
)
#: We are short of something, which says nothing of the path.
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
#: A write lease (fcntl(2): a non-blocking open asks its holder to let go, and gets this until it has, or its time is over), and
#: other obstacles that pass.
SHUT_ERRNOS = (errno.EAGAIN, errno.ETXTBSY, errno.EBUSY)


def may_pass(error: OSError) -> bool:
    """Whether the path is looked at again at once. Whatever else a filesystem says (a damaged inode, a missing key, a medium that
    gives nothing) is its answer: the path cannot be read."""
    return error.errno in ELSEWHERE or error.errno in SHORT
