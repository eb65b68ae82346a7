"""Files below a root of which the kernel was asked ahead of time whether anybody has them open for writing.

To ask of a million files takes seconds, and while an application is stopped each of them is an outage. So they are asked of while
it still runs, and from before that on the kernel reports what is opened (fanotify(7)). Who has a file open for writing at the end
had it open when it was asked of, or opened it since: of these files alone the kernel is asked again. One that came from elsewhere
meanwhile was renamed, or got one more name; of what stands in a directory that was renamed, all is asked again. More
than can be kept makes all of it void.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agent.config.nesting import below, mount_points
from agent.core.rows import PRIVATE_DIR
from agent.fs.handles import can_open_by_handle, handle_of_fd, open_by_handle
from agent.fs.writers.held_open import files_held_open, is_open_for_writing
from agent.watch import records

_READ_SIZE = 256 * 1024
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_OBJECT = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
#: Milliseconds after which it is asked whether all is over.
_LOOK_MS = 1000
#: Seconds for which what is opened may gather: who asks of a million files opens them himself.
_GATHERS = 0.05
_GONE = (errno.ESTALE, errno.ENOENT)
#: So many objects may be opened until the end, some 100 bytes each; and so many records may wait in the kernel, as many.
MOST, MOST_QUEUED = 200_000, 1_000_000


class VoidAsking(OSError):
    """What was asked ahead says nothing any more."""


class AskedBefore:
    """Of one root. ``holds``: whether a handle is that of an object below it; ``over``: whether nobody will ask any more, asked
    each second. :meth:`close` ends it, and so does that."""

    def __init__(self, root: str, holds: Callable[[bytes], bool], over: Callable[[], bool], most: int = MOST) -> None:
        """From now on what is opened is known. Raises ``OSError`` where the kernel does not report it."""
        self._root = os.path.realpath(root)
        self._holds = holds
        self._over = over
        self._most = most
        self._handles: set[bytes] = set()
        self._moved: set[bytes] = set()
        self._void = False
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._own = frozenset((os.getpid(),))
        self._fd, self._root_fd = _reported(self._root)
        threading.Thread(target=self._read_on, name="hikae-openings", daemon=True).start()

    @property
    def is_void(self) -> bool:
        """Whether it says nothing any more."""
        return self._void

    def ask(self, look: Callable[[], None]) -> None:
        """Ask of all files now. ``look`` is called at each directory, and may raise. Raises ``OSError`` where the kernel does not
        tell."""
        for path in files_held_open(self._root, look):
            with suppress(FileNotFoundError):  # it was renamed since, which is reported, or is gone
                fd = os.open(path, _OBJECT)
                try:
                    self._remember(self._handles, handle_of_fd(fd))
                finally:
                    os.close(fd)

    def held(self, look: Callable[[], None]) -> list[str]:
        """The files that somebody has open for writing now. ``look`` is called at each directory of which all is asked again, and
        may raise. Raises ``VoidAsking``; ``OSError`` where the kernel does not tell."""
        with self._lock:
            while self._take():
                pass
            if self._void:
                raise VoidAsking("what was opened since is not known")
            return [*self._held_again(), *self._held_in_moved(look)]

    def close(self) -> None:
        """Everything is given back within a second."""
        self._ending.set()

    def _held_again(self) -> Iterator[str]:
        """Of the files that were open, or were opened."""
        for handle in self._handles:
            with self._object(handle) as fd:
                if fd is None:
                    continue
                st = os.fstat(fd)
                if stat.S_ISREG(st.st_mode) and st.st_nlink and _is_held(fd):
                    path = _path_of(fd)
                    if self._is_below(path, st, handle):
                        yield path

    def _held_in_moved(self, look: Callable[[], None]) -> Iterator[str]:
        """Of what stands in directories that were renamed."""
        for handle in self._moved:
            with self._object(handle) as fd:
                if fd is not None and self._is_below(path := _path_of(fd), os.fstat(fd), handle):
                    yield from files_held_open(path, look)

    @contextmanager
    def _object(self, handle: bytes) -> Iterator[int | None]:
        """A descriptor of it by O_PATH; None once it is gone."""
        try:
            fd = open_by_handle(self._root_fd, handle, os.O_PATH)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)

    def _is_below(self, path: str, st: os.stat_result, handle: bytes) -> bool:
        """``path``: one of its names. Raises ``VoidAsking`` where another one may be below the root."""
        if path.startswith(f"{self._root}/"):
            return not f"{path}/".startswith(f"{self._root}/{os.fsdecode(PRIVATE_DIR)}/")
        if self._holds(handle):
            return True
        if (st.st_nlink == 1 or stat.S_ISDIR(st.st_mode)) and _stands_at(path, st):
            return False
        raise VoidAsking(f"{path} is open for writing, or was moved, and may have a name below {self._root}")

    # ---- what is opened

    def _read_on(self) -> None:
        """The thread's."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while not (self._void or self._ending.is_set() or self._over()):
            if poll.poll(_LOOK_MS):
                self._ending.wait(_GATHERS)
                with self._lock:
                    while self._take():
                        pass
        with self._lock:
            self._void = True
            self._handles.clear()
            self._moved.clear()
            os.close(self._fd)
            os.close(self._root_fd)

    def _take(self) -> bool:
        """Read one batch; False: the queue was empty. With the lock."""
        if self._void:
            return False
        try:
            buffer = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return False
        _, masks, _ = records.gather(buffer, self._own)
        self._void = b"" in masks or records.queued(self._fd) > MOST_QUEUED
        for info, mask in masks.items():
            handle = records.decode_record(info).handle
            if handle and not mask & records.ONDIR:
                self._remember(self._handles, handle)
            elif handle and mask & records.MOVE_SELF:
                self._remember(self._moved, handle)
        return True

    def _remember(self, known: set[bytes], handle: bytes) -> None:
        known.add(handle)
        self._void = self._void or len(known) > self._most


def asked_before(
    root: str, holds: Callable[[bytes], bool], look: Callable[[], None], over: Callable[[], bool]
) -> AskedBefore | None:
    """All files were asked of; None where that cannot be done ahead of time. Raises what ``look`` raises. See
    :class:`AskedBefore`."""
    real = os.path.realpath(root)
    if any(below(point, real) for point in mount_points()):
        return None  # of another filesystem nothing is reported
    try:
        found = AskedBefore(real, holds, over)
    except OSError:
        return None
    try:
        found.ask(look)
    except OSError:
        found.close()
        return None
    except BaseException:
        found.close()
        raise
    return found


def _reported(root: str) -> tuple[int, int]:
    """The descriptor that reports what is opened, and one of the root. Raises ``OSError``."""
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not can_open_by_handle(root_fd):
            raise VoidAsking("nothing can be opened by its handle here")
        return records.open_openings(root), root_fd
    except OSError:
        os.close(root_fd)
        raise


def _is_held(fd: int) -> bool:
    """Whether anybody has it open for writing; ``fd`` by O_PATH. Raises ``OSError`` where the kernel does not tell."""
    opened = os.open(f"/proc/self/fd/{fd}", _READ)
    try:
        held = is_open_for_writing(opened)
    finally:
        os.close(opened)
    if held is None:
        raise VoidAsking("the kernel does not tell who has a file open")
    return held


def _path_of(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def _stands_at(path: str, st: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), st)
    except OSError:
        return False
