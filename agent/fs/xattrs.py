"""Extended attributes: which are kept, reading them all, making them equal.

Kept: ``user.*``; ``security.*`` but the two that the kernel computes itself (EVM signs the inode number, IMA hashes
what was written: copies of them would be wrong); both POSIX ACLs; ``trusted.*`` but what a filesystem keeps for itself
there. Anything else in ``system.*`` is one filesystem's own view of something.
"""

from __future__ import annotations

import errno
import os

from agent.core.rows import Xattrs

ACL_ACCESS = b"system.posix_acl_access"
ACL_DEFAULT = b"system.posix_acl_default"
CAPABILITY = b"security.capability"
#: Put on everything by the host's policy, which never lets it be removed.
_LABEL = b"security.selinux"

_ACLS = (ACL_ACCESS, ACL_DEFAULT)
_COMPUTED = (b"security.evm", b"security.ima")
_KEPT_SPACES = (b"user.", b"security.", b"trusted.")
#: XFS, overlayfs, GlusterFS, Lustre.
_PRIVATE = (
    b"trusted.SGI_",
    b"trusted.overlay.",
    b"trusted.glusterfs.",
    b"trusted.gfid",
    b"trusted.afr.",
    b"trusted.ec.",
    b"trusted.bit-rot.",
    b"trusted.lov",
    b"trusted.lma",
    b"trusted.lmv",
    b"trusted.link",
    b"trusted.fid",
)
_NONE_HERE = (errno.EOPNOTSUPP, errno.ENOSYS)
#: What a filesystem or our privilege refuses for good. EINVAL: an owner in an ACL that this namespace does not map.
_NEVER = (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.E2BIG, errno.ERANGE, errno.EINVAL, errno.ENOSYS)


def is_kept(name: bytes) -> bool:
    """Whether an attribute of this name is replicated."""
    if name in _ACLS:
        return True
    return name.startswith(_KEPT_SPACES) and not name.startswith(_PRIVATE) and name not in _COMPUTED


def read_xattrs(target: int | bytes, *, follow: bool) -> Xattrs:
    """All kept attributes, sorted by name. ``target``: an open descriptor or a ``/proc/self/fd/N`` path (``follow``),
    or an entry below such a path (not ``follow``).

    One call where there are none. One that vanishes meanwhile is left out. OSError where a value may not be read."""
    try:
        names = os.listxattr(target, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _NONE_HERE:
            return ()
        raise
    if not names:
        return ()
    return _values(target, [name for name in sorted(map(os.fsencode, names)) if is_kept(name)], follow)


def acl_of(fd: int) -> bytes:
    """The access ACL of an open file; empty where it has none."""
    try:
        return os.getxattr(fd, ACL_ACCESS)
    except OSError as error:
        if error.errno in (errno.ENODATA, *_NONE_HERE):
            return b""
        raise


def _values(target: int | bytes, names: list[bytes], follow: bool) -> Xattrs:
    found: list[tuple[bytes, bytes]] = []
    for name in names:
        try:
            found.append((name, os.getxattr(target, name, follow_symlinks=follow)))
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
    return tuple(found)


def apply_xattrs(target: int | bytes, want: Xattrs, have: Xattrs, *, again: bytes = b"") -> list[bytes]:
    """Remove what is surplus, set what differs, and the one called ``again`` in any case; the names that were refused.

    ``target``: a descriptor, or a ``/proc/self/fd/N`` path."""
    if want == have and not again:
        return []
    refused = []
    old, new = dict(have), dict(want)
    for name in old:
        if name not in new and name != _LABEL and is_kept(name) and not _remove(target, name):
            refused.append(name)
    for name, value in new.items():
        if (name == again or old.get(name) != value) and not _set(target, name, value):
            refused.append(name)
    return refused


def _remove(target: int | bytes, name: bytes) -> bool:
    try:
        os.removexattr(target, name)
    except OSError as error:
        if error.errno == errno.ENODATA:
            return True
        if error.errno not in _NEVER:
            raise
        return False
    return True


def _set(target: int | bytes, name: bytes, value: bytes) -> bool:
    if not is_kept(name):
        return False
    try:
        os.setxattr(target, name, value)
    except OSError as error:
        if error.errno in _NEVER or (error.errno == errno.ENOSPC and _has_space(target)):
            return False
        raise
    return True


def _has_space(target: int | bytes) -> bool:
    """ext4 says ENOSPC for a value that is too large for it; a full disk says so too."""
    found = os.statvfs(target)
    return found.f_bavail > 0 and (found.f_favail > 0 or found.f_files == 0)
