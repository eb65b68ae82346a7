"""Freezes filesystems and thaws them: the program that the thaw guard is, and what thaws what a crash left frozen.

It imports nothing but the standard library, since it is run as a file of its own (``python -I -S -B freezing.py``): whatever is
wrong with the agent's environment, what was frozen is thawed::

    freezing.py guard SOCKET MARK     serve one agent until its connection ends (``thaw_guard`` is the other end)
    freezing.py thaw MARK             thaw what the mark names, after an end of agent and guard (``ExecStopPost``)

The mark is a file that names what is frozen, or about to be. It is written before, and goes after the thaw. Whoever finds one
waits for the end of the guard that wrote it: a guard that is killed inside ``FIFREEZE`` ends only once the freeze is complete,
and a thaw before that would meet nothing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

#: _IOWR('X', 119, int) and 120 (linux/fs.h), on a descriptor of any directory of the filesystem.
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878

#: What the guard answers: the filesystem stands; it goes on, in time; it went on at the deadline before anybody asked;
#: or it did not stand, with errno.
FROZEN, THAWED, TOO_LATE, FAILED = b"F", b"T", b"L", b"E"
#: What it is asked: freeze (with seconds and a path, and the descriptor beside), thaw.
FREEZE, THAW = b"f", b"t"
_SECONDS = struct.Struct("=d")
LONGEST_REQUEST = 16_384

_MCL_CURRENT, _MCL_FUTURE = 1, 2
#: Whoever wrote the mark ends by itself within so many seconds, or hangs in the kernel.
GUARD_ENDS_WITHIN = 60.0


#: A disk has so many filesystems at most that stand still together.
MOST_TOGETHER = 64


def request(seconds: float, paths: list[str]) -> bytes:
    """What asks the guard to freeze the filesystems of the descriptors that come beside, in this order, for so long at most."""
    return FREEZE + _SECONDS.pack(seconds) + b"\0".join(map(os.fsencode, paths))


def thaw(fd: int) -> int:
    """Thaw a filesystem until nothing is left to thaw; how many times it was."""
    times = 0
    while True:
        try:
            fcntl.ioctl(fd, FITHAW, 0)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            if error.errno == errno.EINVAL:
                return times
            raise
        times += 1


# --- the mark


def mark_frozen(mark: str, places: list[tuple[str, int]]) -> None:
    """Name what is frozen from now on, perhaps: paths, and the devices that stand there. In place of the whole file; no sync,
    since a freeze does not outlive the kernel."""
    named = [{"path": path, "device": device} for path, device in places]
    found = {**named[0], "others": named[1:], "guard": os.getpid(), "started": started(os.getpid())}
    with open(mark + ".new", "wb") as file:
        file.write(json.dumps(found).encode())
    os.rename(mark + ".new", mark)


def unmark(mark: str) -> None:
    """Nothing is frozen any more."""
    with suppress(FileNotFoundError):
        os.unlink(mark)


def started(process: int) -> str | None:
    """When a process began, in the kernel's ticks, which tells it from a later one with its number; None when it is gone or
    dead."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if words[0] in (b"Z", b"X") else words[19].decode()


def thaw_marked(mark: str, within: float = GUARD_ENDS_WITHIN) -> str | None:
    """Thaw what a mark names, once the guard that wrote it has ended; what was done, in words, None where there is no mark.

    Raises ``OSError`` when it cannot be thawed, ``TimeoutError`` (one too) when the guard does not end ``within`` seconds."""
    try:
        with open(mark, "rb") as file:
            found = json.loads(file.read())
        places = [(str(one["path"]), int(one["device"])) for one in (found, *found.get("others", ()))]
        guard, began = int(found["guard"]), found["started"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        os.unlink(mark)
        return f"{mark} names nothing and was removed"
    path = ", ".join(path for path, _ in places)
    if not _wait_for_end(mark, guard, began, within):
        raise TimeoutError(
            errno.ETIMEDOUT, f"the guard (process {guard}) does not end, so the kernel is still freezing {path}"
        )
    if not os.path.exists(mark):
        return f"{path} was thawed by its guard"
    times = sum([_thaw_path(*place) for place in reversed(places)])
    unmark(mark)
    return f"{path} was left frozen and is thawed" if times else f"{path} was marked and not frozen"


def _wait_for_end(mark: str, guard: int, began: str | None, within: float) -> bool:
    """Whether the guard has ended, or has taken its mark away."""
    until = time.monotonic() + within
    while began is not None and started(guard) == began and os.path.exists(mark):
        if time.monotonic() > until:
            return False
        select.select((), (), (), 0.01)
    return True


def _thaw_path(path: str, device: int) -> int:
    """Thaw the filesystem at a path, if it is still the one that was frozen."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    try:
        return thaw(fd) if os.fstat(fd).st_dev == device else 0
    finally:
        os.close(fd)


# --- the guard


class FreezeServer:
    """The process that freezes and thaws for one agent. One filesystem at a time; it ends with the connection."""

    def __init__(self, connection: socket.socket, mark: str) -> None:
        self._connection = connection
        self._mark = mark
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)

    def serve(self) -> None:
        """Freeze and thaw until the agent is gone."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._connection, LONGEST_REQUEST, MOST_TOGETHER)
            if not data:
                return
            if data[:1] == FREEZE and descriptors:
                paths = [os.fsdecode(path) for path in data[9:].split(b"\0")]
                self._freeze(list(zip(descriptors, paths, strict=False)), _SECONDS.unpack(data[1:9])[0])
                for fd in descriptors:
                    os.close(fd)

    def _freeze(self, places: list[tuple[int, str]], seconds: float) -> None:
        """The deadline counts from before the freeze, which itself may last as long as there is something to write back."""
        deadline = time.monotonic() + seconds
        try:
            mark_frozen(self._mark, [(path, os.fstat(fd).st_dev) for fd, path in places])
        except OSError as error:
            self._tell(FAILED + str(error.errno).encode())
            return
        frozen: list[int] = []
        asked = False
        thawing = _thaws_at(deadline, frozen) if len(places) > 1 else None
        try:
            for number, (fd, _) in enumerate(places):
                # EBUSY: somebody else froze it, and is who thaws it.
                failed = _freezes(fd)
                if failed:
                    self._tell_failed(failed, number, frozen)
                    return
                frozen.append(fd)
            # From here to the thaw nothing is written anywhere, and nothing can fail.
            self._tell(FROZEN)
            asked = self._is_asked(deadline)
        finally:
            in_time = thawing is None or thawing()
            _thaw_all(frozen)
            unmark(self._mark)
        self._tell(THAWED if asked and in_time else TOO_LATE)

    def _tell_failed(self, number: int, which: int, frozen: list[int]) -> None:
        """One of them does not stand: the others go on before that is said."""
        _thaw_all(frozen)
        unmark(self._mark)
        self._tell(FAILED + f"{number} {which}".encode())

    def _is_asked(self, deadline: float) -> bool:
        """Wait for the agent to ask for the thaw: False when it is gone, or did not before the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            return False
        return self._connection.recv(LONGEST_REQUEST)[:1] == THAW

    def _tell(self, answer: bytes) -> None:
        """Never waits: an agent that hears nothing any more must not keep a filesystem frozen."""
        with suppress(OSError):
            self._connection.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _freezes(fd: int) -> int:
    """Freeze one filesystem; errno, 0 once it stands."""
    try:
        fcntl.ioctl(fd, FIFREEZE, 0)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _thaw_all(frozen: list[int]) -> None:
    """The last that was frozen goes on first. Each is taken from the list and thawed once: who freezes it next thaws it."""
    with suppress(IndexError):
        while True:
            fd = frozen.pop()
            with suppress(OSError):
                thaw(fd)


def _thaws_at(deadline: float, frozen: list[int]) -> Callable[[], bool]:
    """A thread that thaws at the deadline, whichever of several the kernel is still freezing then. What is returned ends it, and
    says whether it came before."""
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _thaw_all, (frozen,))
    timer.start()

    def ends() -> bool:
        timer.cancel()
        timer.join()
        return time.monotonic() < deadline

    return ends


def _lock_memory() -> None:
    """Whatever the kernel has to write back, the guard is not waited for. Without the privilege it goes on unlocked."""
    ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE)


def run_as(words: list[str]) -> int:
    """The program."""
    if len(words) == 3 and words[0] == "guard":
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(words[1])
            _lock_memory()
            FreezeServer(connection, words[2]).serve()
        return 0
    if len(words) == 2 and words[0] == "thaw":
        try:
            done = thaw_marked(words[1])
        except OSError as error:
            sys.stderr.write(f"hikae: {error.strerror}; type: fsfreeze --unfreeze, and the mount point in {words[1]}\n")
            return 1
        if done is not None:
            sys.stderr.write(f"hikae: {done}\n")
        return 0
    sys.stderr.write("usage: freezing.py guard SOCKET MARK | thaw MARK\n")
    return 2


if __name__ == "__main__":
    sys.exit(run_as(sys.argv[1:]))
