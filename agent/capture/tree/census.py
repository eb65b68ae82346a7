"""What there is below a root, by names and sizes alone: how much a first sync is about, long before all of it was read.

A look at names, never at content, and no promise: what changes meanwhile is not counted again. It takes its turns where capture
would wait for the link anyway, and else a small share of the time.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import NamedTuple

from agent.capture.exclude import Rules
from agent.capture.remote import RemoteMounts
from agent.core.clock import Clock
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import open_dir

#: A first sync that is over sooner needs no total, in seconds.
BEGINS_AFTER = 2.0
#: Of the time since its begin, while capture has other things to do; and the longest turn, in seconds.
_SHARE, _TURN = 0.02, 0.002
#: Directories that are open at once, one below the other.
_OPEN = 32
#: Directories that wait to be gone into: more than so many are not counted, and no total is told.
_WAITING = 100_000
#: Files of several names that are remembered, so that each counts once.
_LINKED = 100_000
_AT_ONCE = 32


class Counted(NamedTuple):
    """All names below a root; ``bytes``: sizes of files."""

    entries: int
    bytes: int


class _Level:
    """A directory that is gone over. ``path``: relative to the root."""

    __slots__ = ("fd", "found", "path")

    def __init__(self, fd: int, path: bytes) -> None:
        self.fd = fd
        self.path = path
        try:
            self.found = os.scandir(fd)
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        """Both its descriptors."""
        self.found.close()
        os.close(self.fd)


class Census:
    """One count. Belongs to the pump's thread, but for ``counted``; ``close`` closes what it has open, not the root."""

    def __init__(self, root_fd: int, rules: Rules, remote: RemoteMounts, clock: Clock) -> None:
        #: None before all was counted, and where that is too much.
        self.counted: Counted | None = None
        self._root_fd = root_fd
        self._rules = rules
        self._remote = remote
        self._clock = clock
        self._begins = clock.monotonic() + BEGINS_AFTER
        self._spent = 0.0
        self._entries = self._bytes = 0
        self._linked: set[tuple[int, int]] = set()
        self._waiting = [b""]
        self._run: Generator[None, None, None] | None = self._all()

    def close(self) -> None:
        """Count no more."""
        run, self._run = self._run, None
        if run is not None:
            run.close()

    def turn(self, *, waits: bool) -> None:
        """Go on for a moment if it is time. ``waits``: nobody else has anything to do."""
        if self._run is None:
            return
        began = self._clock.monotonic()
        since = began - self._begins
        if since < 0 or not (waits or self._spent < _SHARE * since):
            return
        for _ in self._run:
            now = self._clock.monotonic()
            if now - began >= _TURN:
                self._spent += now - began
                return
        self._run = None

    def _all(self) -> Generator[None, None, None]:
        """On exit ``counted`` is told, unless too much waited."""
        while self._waiting:
            if len(self._waiting) > _WAITING:
                return
            path = self._waiting.pop()
            with suppress(OSError):
                yield from self._go_below(self._open(path), path)
        self.counted = Counted(self._entries, self._bytes)

    def _go_below(self, fd: int, path: bytes) -> Iterator[None]:
        """A directory, and those in it down to ``_OPEN`` levels; what is deeper waits. ``fd`` is closed."""
        levels = [_Level(fd, path)]
        try:
            while levels:
                level = levels[-1]
                for below in self._counts(level):
                    yield
                    if below is not None:
                        self._enter(levels, below)
                        break
                else:
                    levels.pop().close()
        finally:
            for level in levels:
                level.close()

    def _enter(self, levels: list[_Level], name: bytes) -> None:
        level = levels[-1]
        path = _below(level.path, name)
        if len(levels) >= _OPEN:
            self._waiting.append(path)
            return
        # Of what is gone, may not be read, or is mounted there, the walk says so.
        with suppress(OSError):
            levels.append(_Level(open_dir(level.fd, name), path))

    def _counts(self, level: _Level) -> Iterator[bytes | None]:
        """Count what is in a directory. Each directory in it is given; None now and then between."""
        # A directory that cannot be read on is left there.
        with suppress(OSError):
            for at, entry in enumerate(level.found):
                if not at % _AT_ONCE:
                    yield None
                name = os.fsencode(entry.name)
                if self._is_left_out(level.path, name, entry):
                    continue
                self._entries += 1
                if entry.is_dir(follow_symlinks=False):
                    yield name
                elif entry.is_file(follow_symlinks=False):
                    self._count_file(entry)

    def _is_left_out(self, path: bytes, name: bytes, entry: os.DirEntry[str]) -> bool:
        if name == PRIVATE_DIR and not path:
            return True
        if not self._rules and name not in self._remote.names:
            return False
        path = _below(path, name)
        # What another program serves may never answer.
        return self._remote.stands_at(path) or self._rules.excluded(path, entry.is_dir(follow_symlinks=False))

    def _count_file(self, entry: os.DirEntry[str]) -> None:
        try:
            st = entry.stat(follow_symlinks=False)
        except OSError:
            return
        if st.st_nlink > 1:
            if (st.st_dev, st.st_ino) in self._linked:
                return
            if len(self._linked) < _LINKED:
                self._linked.add((st.st_dev, st.st_ino))
        self._bytes += st.st_size

    def _open(self, path: bytes) -> int:
        """A new descriptor of a directory, entered step by step so that no path is too long."""
        fd = os.open(b"/proc/self/fd/%d" % self._root_fd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in path.split(b"/") if path else ():
            try:
                below = open_dir(fd, name)
            finally:
                os.close(fd)
            fd = below
        return fd


def _below(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
