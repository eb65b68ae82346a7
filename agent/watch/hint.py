"""Hints, and what every watcher promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol, TypeAlias


class Look(IntEnum):
    """How far a look must go; a higher one includes the lower ones at its path."""

    ENTRY = 0
    """This name and the object that it stands for."""
    CHILDREN = 1
    """The directory, its entries, and the stats of those."""
    SUBTREE = 2
    """Everything below, by a walk."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have changed.

    ``path``: relative to the dataset's root, raw bytes, ``b""`` the root itself. ``handle``: of the object, as
    ``fs.handles`` gives it, where the event tells; it may be that of an object which is gone. ``moved_from``: the object
    was renamed from there to ``path``; looking here without looking there would show it twice or not at all.
    ``path == b""`` with a handle and ``ENTRY`` means: the object with this handle, wherever its names are.
    ``within``: the handle of the directory that the name stood in, where the event tells: whoever knows that directory by its
    handle need not believe the path. ``content`` false: a name came or went, and nothing was said of what it stands for.
    ``age`` belongs to ``Settle``: 0 is the oldest. None of these says what changed, so
    equal hints may differ in them.
    """

    path: bytes
    look: Look
    handle: bytes = b""
    moved_from: bytes | None = None
    age: int = field(default=0, compare=False)
    within: bytes = field(default=b"", compare=False)
    content: bool = field(default=True, compare=False)


#: Takes hints. Called from the watcher's own thread: it must not block for long, and must not call the watcher.
Sink: TypeAlias = Callable[[Sequence[Hint]], None]

#: Whether the object with this handle is in the dataset and may have further names, perhaps outside. Called from the watcher's
#: own thread for every change outside the root: it must cost nothing.
Known: TypeAlias = Callable[[bytes], bool]


#: A barrier on its way: waits up to so many seconds. True: it has passed. False: not yet, ask again. None: it never will, since
#: what it waited behind is gone; set another one.
Passing: TypeAlias = Callable[[float], bool | None]


def waits_for_nothing(_timeout: float) -> bool:
    """A :data:`Passing` where nothing is waited behind."""
    return True


def never_passes(_timeout: float) -> None:
    """A :data:`Passing` of a watcher that watches nothing now."""


def no_further_names(_handle: bytes) -> bool:
    """A :data:`Known`: no object has further names."""
    return False


class Watcher(Protocol):
    """Watches one directory tree. ``tests/contract/test_watchers.py`` is this contract as tests.

    - After ``start`` returned, every change below the root that a system call makes is given to the sink sooner or later:
      as a hint for its path or, when the watcher lost count, as ``SUBTREE`` of a directory above. Except in the root's
      ``.hikae``, and (fanotify only) except what this process does itself. Changes from before ``start`` are not told:
      walk after it.
    - A hint's path was true when the hint was made. A directory above may be renamed before anybody looks; then a hint
      with ``moved_from`` follows, and what lay below the old path lies below the new one. Whoever finds the parent of a
      hinted path gone must not forget the hint before that is known: look by ``handle``, or give it back to ``Settle``,
      which renames what it holds.
    - A directory that was created here, or came from outside the root, is ``SUBTREE``. One that was renamed inside is one
      hint, ``ENTRY``, with ``moved_from``. One that left is ``ENTRY`` at its old path. (An unpaired half of a rename, which
      inotify and kernels before 5.17 may give, is told as one that left or came.)
    - The sink is called by one thread at a time, and never after ``stop`` returned. Whoever calls ``stop``, ``check``,
      ``barrier`` or ``set_barrier`` must hold no lock that the sink needs.
    - A barrier creates nothing in the tree: it works where nothing may be written.
    - These may be called from any thread but the sink's, ``stop`` more than once. ``start`` after ``stop`` works and
      remembers nothing; it raises ``OSError`` when the root cannot be watched.
    """

    kind: str
    """``fanotify``, ``inotify`` or ``polling``: public."""
    why: str
    """Why this kind: a clause for status."""

    @property
    def events(self) -> int:
        """How many hints were made of events since the watcher was made."""
        ...

    @property
    def overflows(self) -> int:
        """How often events were lost; each time ``Hint(b"", SUBTREE)`` was given."""
        ...

    @property
    def lost(self) -> str | None:
        """Why nothing more will come, for people: the root was deleted, replaced or unmounted, or the watch broke.

        It stays until ``start`` is called again. None while all is well."""
        ...

    @property
    def problem(self) -> str | None:
        """What is watched only in part, and what to do; None while all is well. It clears by itself."""
        ...

    def start(self, sink: Sink) -> None:
        """Begin to watch."""
        ...

    def stop(self) -> None:
        """End; the threads are gone when it returns."""
        ...

    def check(self) -> str | None:
        """To be called about once a second: looks at the root (a few system calls) and returns ``lost``."""
        ...

    def set_barrier(self) -> Passing:
        """A barrier behind every change made by system calls before this call: it has passed once these were given to the
        sink."""
        ...

    def barrier(self, timeout: float) -> bool:
        """Set a barrier, and wait until it has passed.

        False: not within ``timeout`` seconds, or the watcher is not started, stopped, or lost."""
        ...
