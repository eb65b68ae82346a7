"""Who reads a moment now, in whatever process: while he does, no row of it goes.

A lease is a file beside the catalog, named by the commit, that its reader keeps locked. So it ends with the reader, however that
ends, and it is there whether an agent runs or not: one that starts, or runs, finds it before it judges which rows may go.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass

from agent.core.errors import StoreFailed, TryAgain
from agent.core.ids import CommitNumber
from agent.store.vault.pack import io_failure

#: For whom the catalog keeps a commit meanwhile (``catalog.kept``).
OWNER = "lease"
_DIRECTORY = "leases"
_TRIES = 100
_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class LeasedCommit:
    """A commit that somebody reads now; ``who``, for people."""

    number: CommitNumber
    who: str


class Lease:
    """The right to read one commit, until it is closed or its process ends. A child that was forked shares it."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def close(self) -> None:
        """Give it up; safe to call twice."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def directory_beside(catalog: str) -> str:
    """Where the leases of a catalog are, by its path."""
    return os.path.join(os.path.dirname(os.path.abspath(catalog)), _DIRECTORY)


def take_lease(catalog: str, number: CommitNumber, who: str) -> Lease:
    """From now on no row that commit ``number`` sees goes. That it could be read until now is to be asked afterwards.

    ``who`` reads it, for people. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
    directory = directory_beside(catalog)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        for one in range(_TRIES):
            path = os.path.join(directory, f"{number}-{os.getpid()}-{one}")
            fd = _locked(path, who)
            if fd >= 0:
                return Lease(path, fd)
    except OSError as error:
        raise io_failure(error, "take a lease", directory) from error
    raise TryAgain("take a lease", directory, "this process has too many", "end a restore or mount first")


def _locked(path: str, who: str) -> int:
    """The descriptor of a file that is locked now; -1: that name is taken, or was taken for one of a process that is gone."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return -1
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if not os.fstat(fd).st_nlink:
            os.close(fd)
            return -1
        os.write(fd, who.encode("utf-8", "backslashreplace")[:_WORDS_MAX])
    except OSError:
        os.close(fd)
        raise
    return fd


def readings(catalog: str) -> list[LeasedCommit]:
    """What is read now, in any process; what is left of those that ended is removed. Raises ``StoreFailed``, ``TryAgain``."""
    directory = directory_beside(catalog)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreFailed("read the leases", directory, str(error)) from error
    found = []
    for name in names:
        number = name.partition("-")[0]
        if number.isascii() and number.isdigit() and (who := _reader(os.path.join(directory, name))) is not None:
            found.append(LeasedCommit(CommitNumber(int(number)), who))
    return found


def _reader(path: str) -> str | None:
    """Who holds a lease; None where nobody does any more, and it is removed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreFailed("read the leases", path, str(error)) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, _WORDS_MAX, 0).decode("utf-8", "replace")
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)
        return None
    finally:
        os.close(fd)
