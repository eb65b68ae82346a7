"""Which processes may be writing below a directory: by what they hold open for writing or have mapped shared and writable.

What a process holds is seen in its own ``fd`` and ``maps`` (proc(5)); paths there are those of its own mounts, so an object is
also asked for by its handle. Where a process cannot be looked into, the kernel is asked of every file whether anybody has it
open for writing: it gives no read lease then (fcntl(2)), nor while it is mapped so. Where it gives none for another reason, that
process counts as a writer.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from agent.fs.handles import handle_of_fd

_PROC = Path("/proc")
_DELETED = " (deleted)"
#: Instead of a path for which the kernel has no room (4,095 bytes): whether it is below is asked of its handle.
_TOO_LONG = "/… (a path that is too long to be told)"
#: So many are named.
MOST = 50
#: The paths of files below a directory, given as its real path, that somebody has open for writing. OSError where that cannot be
#: told of one.
HeldOpen = Callable[[str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Writer:
    """A process. ``path``: what it holds, as it knows it; "" where it cannot be looked into. ``process`` 0: the kernel itself,
    which uses a device as ``program`` says."""

    process: int
    program: str
    path: str

    def sentence(self) -> str:
        """For people."""
        if not self.process:
            return self.program
        who = f"{self.program} (process {self.process})"
        return f"{who} may write {self.path}" if self.path else f"{who} cannot be looked into"


@dataclass(frozen=True, slots=True)
class _Below:
    """The directory: its path, its filesystem, and whether an object of it has a handle."""

    path: str
    device: int
    holds: Callable[[bytes], bool]

    def has(self, link: str, path: str) -> bool:
        """Whether what ``link`` leads to (in /proc) is below it. OSError when it is gone."""
        if path == self.path or path.startswith(f"{self.path}/"):
            return True
        # Of another view of the mounts, a container's: the path is no path here.
        opened = os.open(link, os.O_PATH | os.O_CLOEXEC)
        try:
            if os.fstat(opened).st_dev != self.device:
                return False
            return self.holds(handle_of_fd(opened))
        finally:
            os.close(opened)


#: No path is below it, and no device is so numbered.
_NOTHING = _Below("\0", -1, lambda _: False)


def writers_below(root: str, holds: Callable[[bytes], bool], held: HeldOpen, most: int = MOST) -> list[Writer]:
    """Who may be writing below ``root``, one entry a process, at most ``most``. ``holds``: whether a handle is that of an object
    below it; ``held``: asks the kernel, and what it raises else is raised. This process is none."""
    seen, unseen = _looked_into(_Below(os.path.realpath(root), os.stat(root).st_dev, holds), most)
    if seen or not unseen:
        return seen  # of the others the kernel is asked once these have ended: who names them all names init, too
    try:
        named = list(islice(held(os.path.realpath(root)), most))
    except OSError:
        return unseen  # the kernel does not tell
    return [replace(unseen[0], path=path) for path in named]


def asks_the_kernel() -> bool:
    """Whether some process cannot be looked into, so that :func:`writers_below` is to ask the kernel of files."""
    return bool(_looked_into(_NOTHING, MOST)[1])


def _looked_into(below: _Below, most: int) -> tuple[list[Writer], list[Writer]]:
    """Who writes below it, and who cannot be looked into."""
    found: list[Writer] = []
    for name in os.listdir(_PROC):
        if name.isdecimal() and int(name) != os.getpid() and len(found) < most:
            path = _writes(_PROC / name, below)
            if path is not None:
                found.append(Writer(int(name), _program(_PROC / name), path))
    return [one for one in found if one.path], [one for one in found if not one.path]


def _writes(process: Path, below: _Below) -> str | None:
    """What a process may write below it; "" where it cannot be looked into, None for nothing."""
    try:
        # A thread may have a table of open files of its own (CLONE_FILES), and live on when the first one has ended.
        threads = [_PROC / name for name in os.listdir(process / "task")]
        return next(_held(threads, below), None)
    except PermissionError:
        return "" if _lives(process) else None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _held(threads: list[Path], below: _Below) -> Iterator[str]:
    for thread in threads:
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from _opened(thread, below)
    for thread in threads:
        with suppress(FileNotFoundError, ProcessLookupError):
            if lines := (thread / "maps").read_text(errors="surrogateescape").splitlines():
                yield from _mapped(thread, lines, below)
                return  # the memory of all is one


def _opened(thread: Path, below: _Below) -> Iterator[str]:
    for name in os.listdir(thread / "fd"):
        link = str(thread / "fd" / name)
        with suppress(FileNotFoundError, ProcessLookupError):
            path = _path_of(link)
            if path.startswith("/") and is_held_for_writing(thread, name) and _is_file(link) and below.has(link, path):
                yield path


def _path_of(link: str) -> str:
    """What a link of /proc leads to."""
    try:
        return os.readlink(link)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return _TOO_LONG
        raise


def is_held_for_writing(thread: Path, name: str) -> bool:
    """Whether a thread, a directory of /proc, has its descriptor ``name`` for writing. ``flags`` of fdinfo
    is octal (proc_pid_fdinfo(5))."""
    for line in (thread / "fdinfo" / name).read_text().splitlines():
        if line.startswith("flags:"):
            flags = int(line.split()[1], 8)
            return not flags & os.O_PATH and flags & os.O_ACCMODE != os.O_RDONLY
    return False


def _is_file(link: str) -> bool:
    """Whether it is a regular file that has a name: another is in no tree any more."""
    found = os.stat(link)
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 0


def _mapped(process: Path, maps: list[str], below: _Below) -> Iterator[str]:
    """``7f00-7f10 rw-s 0 fe:01 1234  /srv/web/db`` (proc_pid_maps(5))."""
    for line in maps:
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith("/") and parts[1][3] == "s":
            addresses, access, _, _, _, path = parts
            link = str(process / "map_files" / addresses)
            with suppress(FileNotFoundError, ProcessLookupError):
                if _has_name(link, path) and _is_written(process, addresses, access, partial(below.has, link, path)):
                    yield path


def _is_written(process: Path, addresses: str, access: str, is_below: Callable[[], bool]) -> bool:
    """Whether a shared mapping is below it, and written or may be. The kernel is asked that of few: it counts all pages then."""
    if access[1] == "w":
        return is_below()
    try:
        return is_below() and _may_be_written(process, addresses)
    except PermissionError:
        if _may_be_written(process, addresses):
            raise
        return False


def _may_be_written(process: Path, addresses: str) -> bool:
    """Whether mprotect(2) makes it writable: it was mapped from a descriptor for writing (``mw``, proc_pid_smaps(5))."""
    within = False
    with (process / "smaps").open(errors="surrogateescape") as lines:
        for line in lines:
            if within and line.startswith("VmFlags:"):
                return "mw" in line.split()
            within = within or line.startswith(f"{addresses} ")
    return False


def _has_name(link: str, path: str) -> bool:
    """Whether a mapped file still has one: that by which it was opened may be gone, or end as those do that are. Who may not ask
    goes by its end."""
    if not path.endswith(_DELETED):
        return True
    try:
        return os.stat(link).st_nlink > 0
    except PermissionError:
        return False


def _lives(process: Path) -> bool:
    """A process that has ended, or a thread of the kernel, has no program and holds nothing."""
    try:
        return bool((process / "cmdline").read_bytes())
    except OSError:
        return False


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"
