"""The agent's end of the thaw guard: a process of its own that freezes a filesystem and thaws it, whatever becomes of the agent.

The guard is executed, never forked, and locked in memory before anything is frozen: under systemd in a transient service (a scope
would inherit the agent's sandbox), else in a session of its own. It does both freeze and thaw, so that no kill falls between.
"""

from __future__ import annotations

import errno
import os
import secrets
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from agent.core.errors import HikaeError, NotPermitted, TryAgain
from agent.fs import freezing
from agent.fs.durable import write_durably
from agent.fs.freezing import FAILED, FROZEN, LONGEST_REQUEST, THAW, THAWED

MARK = "frozen"
PROGRAM = freezing.__file__
#: A copy of the program beside the mark: where it is found by a unit that does not know where the agent is installed.
THAWS = "thaw.py"
_UCRED = struct.Struct("=iII")
_SYSTEMD = "/run/systemd/system"
#: What freezing takes and no more: the privilege, and memory that is not swapped.
_PROPERTIES = (
    "Type=exec",
    "CapabilityBoundingSet=CAP_SYS_ADMIN CAP_IPC_LOCK CAP_DAC_READ_SEARCH",
    "LimitMEMLOCK=infinity",
    "OOMScoreAdjust=-1000",
    "NoNewPrivileges=yes",
)


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Seconds. ``begin``: for a guard to connect; ``hang``: beyond its deadline, for a freeze to come to an end; ``end``: for a
    guard that was told to."""

    begin: float = 15.0
    hang: float = 10.0
    end: float = 10.0


class FreezeFailed(TryAgain):
    """A filesystem was not frozen, or not for as long as it was needed. Nothing is frozen when it is raised, but where it says
    so."""


class CannotFreeze(FreezeFailed):
    """Its filesystem knows no freeze (vfat, for one). ``subject`` is its path."""


def thaw_what_was_left(place: Path, limits: GuardLimits = GuardLimits()) -> str | None:
    """At every start of the agent: thaw what an earlier one and its guard left frozen, and lay down the program that does so at
    the end of this one; what was done, in words, None where nothing was frozen. Raises ``FreezeFailed``, ``OSError``."""
    try:
        said = freezing.thaw_marked(str(place / MARK), limits.end)
    except OSError as error:
        remedy = f"type: fsfreeze --unfreeze, and the mount point that {place / MARK} names"
        raise FreezeFailed("thaw what was left frozen", str(place / MARK), str(error.strerror), remedy) from error
    place.mkdir(parents=True, exist_ok=True)
    write_durably(str(place / THAWS), Path(PROGRAM).read_bytes())
    return said


#: An open directory of a filesystem, and the path that names it to people.
FreezeRoot: TypeAlias = tuple[int, str]


class Freezing(Protocol):
    """Freezes filesystems: the thaw guard, or what tests put in its place."""

    def frozen(self, root_fd: int, path: str, seconds: float) -> AbstractContextManager[None]:
        """Within the block the filesystem of an open directory stands still, ``seconds`` at most.

        Raises ``FreezeFailed`` before the block, or after it: then it did not stand still all the time. ``NotPermitted``."""
        ...


class FreezingDisks(Freezing, Protocol):
    """Freezes several filesystems together, too."""

    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> AbstractContextManager[None]:
        """As ``frozen``: within the block all of them stand still, frozen in this order. Raises ``CannotFreeze`` before the
        block for one whose filesystem knows no freeze."""
        ...


class ThawGuard:
    """One guard process and the way to it. Thread-safe: one freeze at a time. ``place`` is the directory of mark and socket.

    ``program``: what is executed with the words ``guard SOCKET MARK``."""

    def __init__(self, place: Path, limits: GuardLimits = GuardLimits(), program: Sequence[str] | None = None) -> None:
        self._place = place
        self._limits = limits
        self._program = tuple(program) if program is not None else (sys.executable, "-I", "-S", "-B", PROGRAM)
        self._lock = threading.Lock()
        self._guard: _Connected | None = None
        #: One that the kernel does not let go of.
        self._hanging: _Connected | None = None

    @property
    def mark(self) -> Path:
        """The file that names what is frozen."""
        return self._place / MARK

    @property
    def process(self) -> int | None:
        """The guard's process id, None while there is none."""
        guard = self._guard
        return guard.pid if guard is not None else None

    def start(self) -> None:
        """Execute the guard, unless it runs. Raises ``FreezeFailed``."""
        with self._lock:
            self._standing()

    def close(self) -> None:
        """End the guard; what it froze is thawed."""
        with self._lock:
            for guard in (self._guard, self._hanging):
                if guard is not None:
                    guard.end(self._limits.end)
            self._guard = self._hanging = None

    def frozen(self, root_fd: int, path: str, seconds: float) -> AbstractContextManager[None]:
        """See ``Freezing``. ``path`` is for the mark, and for who reads it."""
        return self.all_frozen(((root_fd, path),), seconds)

    @contextmanager
    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """See ``FreezingDisks``."""
        with self._lock:
            guard = self._standing()
            self._freeze(guard, roots, seconds)
            try:
                yield
            finally:
                failure = self._thaw(guard, roots)
            if failure is not None:
                raise failure

    # --- with the lock held

    def _standing(self) -> _Connected:
        if self._guard is not None and self._guard.has_ended(0.0):
            self._guard.end(self._limits.end)
            self._guard = None
        if self._hanging is not None:
            if not self._hanging.has_ended(0.0):
                raise _hangs("", self._limits.hang, self._hanging.pid)
            self._hanging.end(self._limits.end)
            self._hanging = None
        if self._guard is None:
            try:
                freezing.thaw_marked(str(self.mark), self._limits.end)
                self._guard = _connected(self._place, self._program, self._limits)
            except (OSError, subprocess.SubprocessError) as error:
                raise _no_guard(error) from error
        return self._guard

    def _freeze(self, guard: _Connected, roots: Sequence[FreezeRoot], seconds: float) -> None:
        guard.ask_freeze(roots, seconds)
        answer = guard.answer(seconds + self._limits.hang)
        if answer == FROZEN:
            return
        if answer is None:
            guard.hang_up()
            self._guard, self._hanging = None, guard
            raise _hangs(_named(roots), seconds + self._limits.hang, guard.pid)
        if answer[:1] == FAILED:
            number, _, which = answer[1:].partition(b" ")
            raise _refused(roots[int(which or 0)][1], int(number))
        if answer == freezing.TOO_LATE:
            raise _too_late(_named(roots))
        raise self._guard_died(guard, roots)

    def _thaw(self, guard: _Connected, roots: Sequence[FreezeRoot]) -> HikaeError | None:
        """Ask for the thaw; what is wrong, if they did not stand still until now."""
        guard.ask_thaw()
        answer = guard.answer(self._limits.hang)
        if answer == THAWED:
            return None
        if answer == freezing.TOO_LATE:
            return _too_late(_named(roots))
        return self._guard_died(guard, roots)

    def _guard_died(self, guard: _Connected, roots: Sequence[FreezeRoot]) -> HikaeError:
        """A guard that is killed inside the freeze ends when the freeze is complete; then nobody but us thaws it."""
        guard.end(self._limits.end)
        self._guard = None
        for root_fd, _ in reversed(roots):
            with suppress(OSError):
                freezing.thaw(root_fd)
        freezing.unmark(str(self.mark))
        reason = "the guard was killed; it is thawed"
        return FreezeFailed("keep frozen", _named(roots), reason, "it is tried again by itself")


class _Connected:
    """A guard that runs: its connection, and its process, which may be a child of ours or of the service manager's."""

    def __init__(self, connection: socket.socket, child: subprocess.Popen[bytes] | None) -> None:
        self._connection = connection
        self._child = child
        self.pid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[0]
        self._process = os.pidfd_open(self.pid)

    def ask_freeze(self, roots: Sequence[FreezeRoot], seconds: float) -> None:
        asked = freezing.request(seconds, [path for _, path in roots])
        with suppress(OSError):
            socket.send_fds(self._connection, [asked], [root_fd for root_fd, _ in roots])

    def ask_thaw(self) -> None:
        with suppress(OSError):
            self._connection.send(THAW, socket.MSG_NOSIGNAL)

    def answer(self, timeout: float) -> bytes | None:
        """The next answer; None: none within ``timeout`` seconds; empty: the guard is gone."""
        ready, _, _ = select.select([self._connection], (), (), timeout)
        if not ready:
            return None
        try:
            return self._connection.recv(LONGEST_REQUEST)
        except OSError:
            return b""

    def has_ended(self, timeout: float) -> bool:
        """Whether the process is gone, at the latest after ``timeout`` seconds."""
        ready, _, _ = select.select([self._process], (), (), timeout)
        return bool(ready)

    def hang_up(self) -> None:
        """Close the connection: it thaws what it froze, and ends."""
        self._connection.close()

    def end(self, timeout: float) -> None:
        """Hang up, and wait for its end."""
        self.hang_up()
        self.has_ended(timeout)
        os.close(self._process)
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)


def _connected(place: Path, program: Sequence[str], limits: GuardLimits) -> _Connected:
    """Execute a guard and wait until it has called. Raises ``OSError``."""
    address = str(place / f"guard-{secrets.token_hex(4)}.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(address)
        try:
            os.chmod(address, 0o600)
            door.listen(1)
            door.settimeout(limits.begin)
            child = _execute((*program, "guard", address, str(place / MARK)), place)
            try:
                connection, _ = door.accept()
            except OSError:
                if child is not None:
                    child.kill()
                    child.wait()
                raise
        finally:
            os.unlink(address)
    connection.settimeout(None)
    return _Connected(connection, child)


def _execute(words: Sequence[str], place: Path) -> subprocess.Popen[bytes] | None:
    """The guard as a child in a session of its own; None where the service manager runs it."""
    if os.geteuid() == 0 and os.path.isdir(_SYSTEMD) and shutil.which("systemd-run"):
        begun = subprocess.run(_transient(words, place), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if begun.returncode == 0:
            return None
    null = subprocess.DEVNULL
    return subprocess.Popen(words, stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/")


def _transient(words: Sequence[str], place: Path) -> list[str]:
    """A service of its own, which outlives the agent's and thaws after its own end."""
    thaws = " ".join((*words[:-3], "thaw", str(place / MARK)))
    properties = [f"--property={one}" for one in (*_PROPERTIES, f"ExecStopPost={thaws}")]
    unit = f"--unit=hikae-guard-{secrets.token_hex(4)}"
    return [
        "systemd-run",
        "--quiet",
        "--collect",
        unit,
        "--description=hikae: thaws what it freezes",
        *properties,
        *words,
    ]


def _no_guard(error: Exception) -> HikaeError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return FreezeFailed("start the thaw guard", "", reason, "nothing is frozen without it; look at the journal")


def _named(roots: Sequence[FreezeRoot]) -> str:
    return ", ".join(path for _, path in roots)


def _too_late(path: str) -> HikaeError:
    remedy = "it is tried again; if it comes again, its disk is too slow for that: quiesce by another kind"
    return FreezeFailed("keep frozen", path, "the deadline came first, and it was thawed", remedy)


def _hangs(path: str, seconds: float, pid: int) -> HikaeError:
    reason = f"the kernel has not frozen it after {seconds:g} s; the guard (process {pid}) thaws it as soon as it has"
    remedy = "see what keeps its disk busy (dmesg); until then nothing more is frozen"
    return FreezeFailed("freeze", path, reason, remedy)


def _refused(path: str, number: int) -> HikaeError:
    """Why the kernel did not freeze a filesystem."""
    if number == errno.EBUSY:
        reason = "another program has frozen it already, and has to thaw it"
        return FreezeFailed(
            "freeze", path, reason, f"find who did (a snapshot tool?), or type: fsfreeze --unfreeze {path}"
        )
    if number in (errno.EPERM, errno.EACCES):
        return NotPermitted("freeze", path, "the privilege CAP_SYS_ADMIN is missing", "run the agent as root")
    if number in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
        reason = "its filesystem cannot be frozen"
        return CannotFreeze("freeze", path, reason, 'write quiesce = "none" or "hook" for this dataset')
    return FreezeFailed("freeze", path, os.strerror(number), "see what the kernel says of it: dmesg")
