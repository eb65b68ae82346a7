"""The socket's place in the filesystem: ours alone, and never taken from an agent that lives."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat

from agent.core.errors import HikaeError, NotPermitted, Refused

#: ``sun_path`` holds 108 bytes with its final NUL (unix(7)).
PATH_LIMIT = 107
_OPERATION = "open the admin socket"


class SocketFile:
    """A listening Unix socket at ``path`` (0600), and the lock beside it that one agent holds for its life."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock_fd = -1

    def bind(self, listener: socket.socket) -> None:
        """Bind ``listener``; a stale socket is removed first. It must not listen yet, so that nobody can connect
        before the mode is set.

        Raises ``Refused`` when another agent lives there, when something else is in the way, or when the path cannot
        hold a socket; ``NotPermitted`` without the right to write there."""
        if len(os.fsencode(self.path)) > PATH_LIMIT:
            raise Refused(
                _OPERATION, self.path, f"a socket's path has at most {PATH_LIMIT} bytes", "choose a shorter one"
            )
        try:
            self._lock()
            self._clear_way()
            listener.bind(self.path)
            os.chmod(self.path, 0o600)
        except OSError as error:
            self.release()
            raise _mapped(error, self.path) from error
        except HikaeError:
            self.release()
            raise

    def release(self) -> None:
        """Let go of the lock. The lock's file stays: taking it away could let two agents lock different files."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def remove(self) -> None:
        """Take the socket away, then let go of the lock."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        finally:
            self.release()

    def _lock(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock_fd = os.open(f"{self.path}.lock", flags, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _occupied(self.path) from None

    def _clear_way(self) -> None:
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise Refused(
                _OPERATION, self.path, "something that is no socket is there", "move it away, or choose another path"
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(self.path) not in (errno.ECONNREFUSED, errno.ENOENT):
                raise _occupied(self.path)
        os.unlink(self.path)


def _occupied(path: str) -> Refused:
    return Refused(
        _OPERATION,
        path,
        "another hikae agent is running with this socket",
        "stop it, or give this one another admin_socket and state_dir",
    )


def _mapped(error: OSError, path: str) -> HikaeError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Refused(_OPERATION, path, "its directory does not exist", f"mkdir -p {os.path.dirname(path)}")
    if isinstance(error, PermissionError):
        return NotPermitted(
            _OPERATION, path, "no permission to write there", "run the agent as root, or choose another path"
        )
    return HikaeError(_OPERATION, path, error.strerror or str(error))
