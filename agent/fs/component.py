"""What may be one name in a directory."""

from __future__ import annotations

import errno

_SLASH = 0x2F
_NEVER = frozenset((b"", b".", b".."))


class UnsafeName(OSError):
    """Not a single component: empty, ``.``, ``..``, or holding a slash or NUL. errno is EINVAL."""


def require_component(name: bytes) -> None:
    """Raise ``UnsafeName`` unless ``name`` can only ever mean an entry of the directory at hand."""
    # Looking for an integer is one memchr, five times as fast as looking for bytes.
    if _SLASH in name or 0 in name or name in _NEVER:
        raise UnsafeName(errno.EINVAL, "not a single path component", name)
