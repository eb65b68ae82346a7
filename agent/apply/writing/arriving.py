"""The content of large new files, written on the standby while it comes, ahead of the commits that name it.

It goes into a file without a name, in the order in which it comes, so that all the commit has to do is to give the name: a small
edit behind it does not wait, and nothing is read again. If the row turns out to say anything else (holes, chunks that were here
already), the file is thrown away, and the content written as any other.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from blake3 import blake3

from agent.apply.writing.writer import ContentWriter
from agent.core.chunks import DATA, Chunk, encode_one
from agent.core.errors import HikaeError
from agent.fs.confined import create_nameless

#: Bytes that may wait to be written: from the first on a sender that can wait is to, at the second it is given up.
CROWDED, TOO_MANY = 16 << 20, 64 << 20
#: So many seconds after its last byte a file is given up, whose commit never came.
FORGOTTEN = 60.0
#: Files that are whole, or nearly, and wait for their commits.
_FILES = 8
_AT_ONCE = 32

#: Of a file: which call it came by, and its number there.
_Key = tuple[int, int]


class EarlyContent:
    """:meth:`came`, :meth:`wait` and :meth:`gone` are for the receiver's thread, the others for the applier's.

    ``poke`` wakes the applier up; it must not block."""

    def __init__(self, poke: Callable[[], None], monotonic: Callable[[], float]) -> None:
        self._poke = poke
        self._monotonic = monotonic
        self._change = threading.Condition()
        self._call = 0
        self._given_up: _Key = (0, 0)
        self._waiting: list[tuple[_Key, bytes, bytes | memoryview]] = []
        self._size = 0
        #: Chunks that no longer wait, since the beginning.
        self._begun = 0
        self._files: OrderedDict[_Key, _File] = OrderedDict()

    def came(self, token: int, chunks: Sequence[tuple[bytes, bytes | memoryview]]) -> None:
        """Chunks of the file ``token``, names and bytes that fit them. Never blocks."""
        with self._change:
            key = (self._call, token)
            if key == self._given_up:
                return
            self._waiting += [(key, name, data) for name, data in chunks]
            self._size += sum(len(data) for _, data in chunks)
            if self._size > TOO_MANY:
                self._give_up(key)
        self._poke()

    def wait(self, timeout: float) -> None:
        """Let the applier come closer, up to ``timeout`` seconds, if much waits to be written."""
        with self._change:
            if self._size > CROWDED:
                self._change.wait_for(lambda: self._size <= CROWDED, timeout)

    def gone(self) -> None:
        """The call has ended: what is not whole will never be."""
        with self._change:
            self._call += 1
            self._forget(lambda _: True)
        self._poke()

    def step(self, directory: Callable[[], int]) -> bool:
        """Write a little of what waits, into the filesystem of the directory that is open as ``directory()``; whether there is
        more. What the disk does not take is given up."""
        with self._change:
            chunks = self._next()
        self._drop_void()
        if not chunks:
            return False
        key = chunks[0][0]
        try:
            file = self._files.get(key)
            if file is None:
                file = self._files[key] = _File(create_nameless(directory()))
            file.write([(name, data) for _, name, data in chunks], self._monotonic())
        except (OSError, HikaeError):
            # A standby that is not there, or is held, is the applier's to say.
            with self._change:
                self._give_up(key)
            self._drop_void()
        return True

    def take(self, entries: Iterable[Chunk], directory: Callable[[], int]) -> int:
        """The descriptor, now the caller's, of a file that holds exactly these entries; -1 where there is none."""
        # What a commit names came before it; of a file that is still coming there may be no end.
        with self._change:
            enough = self._begun + len(self._waiting)
        while self._begun < enough and self.step(directory):
            pass
        wanted = _named(entries) if self._files else None
        for key, file in self._files.items():
            if file.holds == wanted:
                del self._files[key]
                return file.fd
        return -1

    def close(self) -> None:
        """Let go of everything."""
        with self._change:
            self._call += 1
            self._forget(lambda _: True)
        self._drop_void()

    def _next(self) -> list[tuple[_Key, bytes, bytes | memoryview]]:
        """The chunks that are written now, all of one file. Called with the lock."""
        count = 0
        while count < min(len(self._waiting), _AT_ONCE) and self._waiting[count][0] == self._waiting[0][0]:
            count += 1
        chunks, self._waiting = self._waiting[:count], self._waiting[count:]
        self._begun += count
        self._size -= sum(len(data) for _, _, data in chunks)
        self._change.notify_all()
        return chunks

    def _give_up(self, key: _Key) -> None:
        """The file is given up: nothing more of it is taken. Called with the lock."""
        self._given_up = key
        self._forget(lambda of: of == key)

    def _forget(self, meant: Callable[[_Key], bool]) -> None:
        self._waiting = [one for one in self._waiting if not meant(one[0])]
        self._size = sum(len(data) for _, _, data in self._waiting)
        self._change.notify_all()

    def _drop_void(self) -> None:
        """Close what nobody will ask for: given up, of an older call, too many, too old."""
        if not self._files:
            return
        now = self._monotonic()
        for place, (key, file) in enumerate(reversed(self._files.items())):
            if key == self._given_up or key[0] != self._call or place >= _FILES or now - file.at > FORGOTTEN:
                file.void = True
        for key in [key for key, file in self._files.items() if file.void]:
            os.close(self._files.pop(key).fd)


class _File:
    """A file that is being written. ``at``: when it was written to; ``holds``: its size and what :func:`_named` gives for it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.at = 0.0
        self.void = False
        self._size = 0
        self._writer = ContentWriter(fd)
        self._names = blake3()

    @property
    def holds(self) -> tuple[int, bytes]:
        return self._size, self._names.digest()

    def write(self, chunks: Sequence[tuple[bytes, bytes | memoryview]], now: float) -> None:
        """Add chunks, each with its name. OSError."""
        written = self._writer.put_run(self._size, [data for _, data in chunks])
        for name, data in chunks:
            self._names.update(encode_one(len(data), name))
        self.at = now
        self._size += written


def _named(entries: Iterable[Chunk]) -> tuple[int, bytes] | None:
    """The size of a file and the name of its list of chunks; None when it is not chunks alone."""
    names, size = blake3(), 0
    for entry in entries:
        if entry.kind != DATA:
            return None
        names.update(encode_one(entry.length, entry.name))
        size += entry.length
    return size, names.digest()
