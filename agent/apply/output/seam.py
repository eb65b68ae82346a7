"""What a converge writes into, as it sees it: an open root, a private place in it, and verbs that change entries.

A directory is one (``output.directory``); an archive or a view could be others. Nothing beyond this seam knows whether the root
is a standby, a place to restore to, or a primary's tree that goes back.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from agent.apply.output.directory import Step
from agent.apply.ports import Adopted
from agent.fs.expected import Expect


class Lasting(Protocol):
    """What is written into, as far as it is made durable: a root, or a device."""

    @property
    def path(self) -> str:
        """For messages."""
        ...

    @property
    def what(self) -> str:
        """What it is, in messages: "the standby"."""
        ...

    @property
    def root(self) -> int:
        """It itself, open."""
        ...

    @property
    def private(self) -> int:
        """The open directory of our own that belongs to it."""
        ...

    def sync(self) -> None:
        """Write everything out. Raises ``RootFailed``: what was changed since the last sync is doubtful then."""
        ...


class Output(Lasting, Protocol):
    """All entries are ``(directory descriptor, one name)`` and no link is ever followed. For one thread; who opened it closes it.

    Verbs raise OSError of one entry or of the whole root, and may be ended at each by ``step``, which is called with a word
    before every change."""

    @property
    def root(self) -> int:
        """The open root."""
        ...

    @property
    def private(self) -> int:
        """The open directory of our own in the root, on the same filesystem, that no commit names."""
        ...

    @property
    def held(self) -> int:
        """The open directory in which objects wait for another name."""
        ...

    @property
    def temp(self) -> int:
        """The open directory in which things are built."""
        ...

    @property
    def displaced(self) -> int:
        """The open directory of what is not ours and stood in the way."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether our directory was made in the root just now."""
        ...

    @property
    def scratch(self) -> str | None:
        """Where temporary files may stand (None: the system's place)."""
        ...

    @property
    def step(self) -> Step:
        """The boundary before a change."""
        ...

    @property
    def adopted(self) -> Adopted:
        """What is known of a tree that was there before us."""
        ...

    @property
    def expect(self) -> Expect:
        """Proves that an entry is still what was looked at."""
        ...

    def empty_temp(self) -> None:
        """Remove what a run that was cut short left half-built."""
        ...

    def clear_temp(self) -> None:
        """Make room for the temporary entry."""
        ...

    def temp_of_project(self, directory: int) -> AbstractContextManager[int]:
        """A directory of ours, empty and open, in which what is made is of the project of an open one."""
        ...

    def create_nameless(self, directory: int) -> int:
        """A new file without a name; -1 where there are none."""
        ...

    def mkdir(self, fd: int, name: bytes) -> None:
        """A new directory, ours alone until its metadata is set."""
        ...

    def rmdir(self, fd: int, name: bytes) -> bool:
        """Remove a directory if it is empty; whether it is gone."""
        ...

    def unlink(self, fd: int, name: bytes) -> None:
        """Remove anything but a directory. Gone already is fine."""
        ...

    def rename(self, src_fd: int, src: bytes, dst_fd: int, dst: bytes, *, replace: bool = False) -> None:
        """Move an entry. FileExistsError without ``replace`` if something stands at the other end."""
        ...

    def link(self, pinned: int, dst_fd: int, dst: bytes) -> None:
        """A further name for an object that is open by O_PATH."""
        ...

    def sync(self) -> None:
        """Write everything out. Raises ``RootFailed``: what was changed since the last sync is doubtful then."""
        ...
