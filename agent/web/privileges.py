"""How the second process gives away what it does not need, before it reads a byte of anybody's request."""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from contextlib import suppress

from agent.core.errors import ConfigError, NotPermitted

#: The account that the package makes (systemd/hikae.sysusers); where it is not there: nobody, who reads counts alone.
ACCOUNT, FALLBACK = "hikae", "nobody"
_PR_SET_NO_NEW_PRIVS = 38
_DESCRIPTORS = 8192


def become_unprivileged(account: str = ACCOUNT, fallback: str = FALLBACK) -> str:
    """As root: become that account, with its groups alone and no way back. Else nothing but that no program can give privileges
    any more. The name of who it is now. Raises ``ConfigError``, ``NotPermitted``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_DESCRIPTORS, hard)), hard))
    found = None
    if os.geteuid() == 0:
        found = _entry(account) or _entry(fallback)
        if found is None:
            remedy = "systemd-sysusers makes it, or: useradd --system hikae"
            raise ConfigError("serve health", account, "there is no such account", remedy)
        _become(found)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return found.pw_name if found is not None else str(os.geteuid())


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _become(entry: pwd.struct_passwd) -> None:
    try:
        os.setgroups(os.getgrouplist(entry.pw_name, entry.pw_gid))
        os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
        os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    except OSError as error:
        remedy = "run it as its own unit: systemctl enable --now hikae-web"
        raise NotPermitted(
            "serve health", entry.pw_name, f"root cannot become that account here: {error}", remedy
        ) from error
