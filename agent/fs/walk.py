"""What stands in a directory, however much that is: names in the order of their bytes, in bounded memory.

Up to ``RUN`` names are sorted where they are. More are read in runs of so many, each sorted and written to an unnamed
temporary file (in memory while it is small), then merged. Everything is read before the first name is given, so the directory may
be changed meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO

#: So many names are read and sorted at once.
RUN = 16_384
#: Sorted runs stay in memory up to so many bytes.
IN_MEMORY = 8 << 20
#: All blocks of the merge together, and the least that is read of a run at once, in bytes. A short name takes five times its
#: length once it is an object.
_BLOCKS = 1 << 20
_BLOCK = 4096  # more than the longest name, 255


class Listing:
    """All names in a directory except ``.`` and ``..``. ``.hikae`` in a root is left to the caller.

    ``gather`` reads, ``run`` names a step, so that others may work between; ``names`` or ``pages`` may then be asked once, and
    read first what is left to be read. ``scratch``: where the temporary file may stand (None: the system's place) once the runs
    have more than ``in_memory`` bytes. Use it as a context, or ``close`` it."""

    def __init__(self, dir_fd: int, scratch: str | None = None, *, run: int = RUN, in_memory: int = IN_MEMORY) -> None:
        self._dir_fd = dir_fd
        self._scratch = scratch
        self._run = run
        self._in_memory = in_memory
        self._last: list[bytes] = []
        self._read = False
        self._file: IO[bytes] | None = None
        #: Where each run begins and ends in the file.
        self._runs: list[tuple[int, int]] = []

    @classmethod
    def of(cls, names: list[bytes]) -> Listing:
        """The listing of a directory that was read before."""
        made = cls(-1)
        made._last, made._read = sorted(names), True
        return made

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the temporary file back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def gather(self) -> Iterator[None]:
        """Read the directory. Opens it anew through ``/proc``: names come as bytes at once, and threads that list the same
        descriptor share no read position. OSError where it may not be read."""
        if self._read:
            return
        with os.scandir(b"/proc/self/fd/%d" % self._dir_fd) as found:
            while True:
                names = [entry.name for entry in islice(found, self._run)]
                names.sort()
                if len(names) < self._run:
                    break
                self._put(names)
                yield
        if self._file is not None:
            self._put(names)
            names = []
        self._last, self._read = names, True

    def names(self) -> Iterator[bytes]:
        """Every name."""
        return chain.from_iterable(self.pages())

    def pages(self) -> Iterator[list[bytes]]:
        """Every name, many at a time."""
        if not self._read:
            for _ in self.gather():
                pass
        return iter((self._last,)) if self._file is None else self._merged(self._file)

    def _put(self, names: list[bytes]) -> None:
        if self._file is None:
            # Closed by close.
            self._file = tempfile.SpooledTemporaryFile(self._in_memory, dir=self._scratch)  # noqa: SIM115
        begin = self._file.tell()
        # No name holds a NUL.
        self._file.write(b"".join([name + b"\0" for name in names]))
        self._runs.append((begin, self._file.tell()))

    def _merged(self, file: IO[bytes]) -> Iterator[list[bytes]]:
        """A block of every run is at hand. What is not greater than the least of their last names is complete."""
        size = max(_BLOCK, _BLOCKS // len(self._runs))
        runs = [_Run(file, begin, end, size) for begin, end in self._runs if begin < end]
        while runs:
            bound = min(run.names[-1] for run in runs)
            page: list[bytes] = []
            for run in runs:
                page += run.take(bound)
            page.sort()
            yield page
            runs = [run for run in runs if run.names]


class _Run:
    """A part of the file that is sorted. ``names``: what was read of it and not taken yet; empty at its end only."""

    def __init__(self, file: IO[bytes], begin: int, end: int, size: int) -> None:
        self.names: list[bytes] = []
        self._file = file
        self._at = begin
        self._end = end
        self._size = size
        self._refill()

    def take(self, bound: bytes) -> list[bytes]:
        """The names up to and with ``bound``."""
        many = bisect_right(self.names, bound)
        taken, self.names = self.names[:many], self.names[many:]
        if not self.names:
            self._refill()
        return taken

    def _refill(self) -> None:
        if self._at >= self._end:
            return
        self._file.seek(self._at)
        block = self._file.read(min(self._size, self._end - self._at))
        whole = block.rfind(b"\0")
        self._at += whole + 1
        self.names = block[:whole].split(b"\0")


def entries(dir_fd: int, scratch: str | None = None) -> Iterator[bytes]:
    """All names of the directory in the order of their bytes, the first of them after all were read; see :class:`Listing`."""
    with Listing(dir_fd, scratch) as listing:
        yield from listing.names()


def is_empty(dir_fd: int) -> bool:
    """Whether nothing stands in the directory. OSError as for :class:`Listing`."""
    with os.scandir(b"/proc/self/fd/%d" % dir_fd) as found:
        return next(found, None) is None


def count(dir_fd: int) -> int:
    """How many names the directory has. OSError as for :class:`Listing`."""
    with os.scandir(b"/proc/self/fd/%d" % dir_fd) as found:
        return sum(1 for _ in found)
