"""A local user of the standby who owns one directory of it and keeps exchanging a name there for files of root's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

USER = 12345
_CONTENT = b"root's own"
_MODE = 0o600

_SCRIPT = """
import ctypes, os, sys
fd, name, victims, user = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
libc, n = ctypes.CDLL(None), 0
os.setgid(user), os.setuid(user)
print("swapping", flush=True)
while True:
    for _ in range(2):
        libc.renameat2(fd, name, fd, b"victim%d" % n, 2)
    n = (n + 1) % victims
"""


def state_of(fd: int) -> tuple[object, ...]:
    """All of an open object that must not change."""
    st = os.fstat(fd)
    content = os.pread(fd, 100, 0) if stat.S_ISREG(st.st_mode) else b""
    attributes = [(name, os.getxattr(fd, name)) for name in sorted(os.listxattr(fd))]
    return st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, content, attributes


@dataclass
class Swapping:
    """``with Swapping(directory, name, many):`` victims are made, and the exchanging goes on until the end. ``directories``:
    the victims are such. :meth:`top_up` puts back those that were moved out of the way."""

    directory: Path
    name: bytes
    many: int = 40
    directories: bool = False
    _held: list[tuple[int, tuple[object, ...], int]] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Swapping:
        self.top_up()
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        command = [sys.executable, "-c", _SCRIPT, str(fd), self.name.decode(), str(self.many), str(USER)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=(fd,))
        os.close(fd)
        assert self._process.stdout is not None
        assert "swapping\n" == self._process.stdout.readline()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        for fd, _, _ in self._held:
            os.close(fd)

    def top_up(self) -> None:
        """Root puts a file of his (or a directory) where none stands."""
        for number in range(self.many):
            path = self.directory / f"victim{number}"
            try:
                made = self._directory(path) if self.directories else self._file(path)
            except FileExistsError:
                continue
            # As in a tree that stood there long.
            os.utime(made, ns=(10**18, 10**18))
            self._held.append((made, state_of(made), os.fstat(made).st_nlink))

    def escaped(self) -> list[str]:
        """What became of root's objects that should not."""
        found = []
        for fd, before, links in self._held:
            if state_of(fd) != before:
                found.append(f"{before} became {state_of(fd)}")
            if not self.directories and os.fstat(fd).st_nlink > links:
                found.append(f"a file of root's has {os.fstat(fd).st_nlink} names")
        return found

    def _file(self, path: Path) -> int:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE)
        os.write(fd, _CONTENT)
        return fd

    def _directory(self, path: Path) -> int:
        path.mkdir(mode=0o700)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
