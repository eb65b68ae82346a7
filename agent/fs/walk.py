"""What stands in a directory."""

from __future__ import annotations

import os


def entries(dir_fd: int) -> list[bytes]:
    """All names in the directory except ``.`` and ``..``, sorted as bytes. ``.hikae`` in a root is left to the caller.

    Opens the directory anew through ``/proc``: names come as bytes at once, and threads that list the same
    descriptor share no read position. OSError where the directory may not be read."""
    names = os.listdir(b"/proc/self/fd/%d" % dir_fd)
    names.sort()
    return names
