"""Whether the standby and what is known of it are of one time.

Either may be put back to an older image while the other is not: a volume is rolled back, a state directory is restored. The
directory is the same then, and nothing that is known of what stands in it holds. So every checkpoint draws a random token, which
is written into the standby before that is synced, and noted with the checkpoint afterwards. Since a run may end between the two,
the standby has the one that was noted before beside it, and the commit towards which it was changed: that one is known too, where
what is known was not put back.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from agent.apply.ports import LocalFacts
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.fs.content import read_exact

#: Of a local fact, and of the file in our private directory.
TOKEN, FILE = "token", b"token"
_SIZE = 16
#: The newest token, the one before, and number and digest of a commit.
_FORM = struct.Struct(">16s16sQ32s")
_NONE = bytes(_SIZE)


class Age(Enum):
    """Of the standby, beside what is known of it."""

    #: It is what it was at the checkpoint, but for what was done in this process.
    SAME = "same"
    #: It was changed since, or may have been, by commits that are known.
    AHEAD = "ahead"
    #: One of the two was put back.
    OTHER = "other"


class _Held(NamedTuple):
    newest: bytes
    before: bytes
    number: CommitNumber
    digest: bytes


class Token:
    """Of one standby, for one thread."""

    def __init__(self, local: LocalFacts) -> None:
        self._local = local
        self._noted = local.value(TOKEN) or _NONE
        self._drawn = _NONE

    def age(self, private: int, known: Callable[[CommitNumber], Commit | None]) -> Age:
        """Of the standby whose private directory is open; ``known``: a commit that we have. OSError, and what that raises."""
        held = _read(private)
        if held.newest == self._noted:
            return Age.SAME
        commit = known(held.number) if held.before == self._noted else None
        is_ahead = commit is not None and commit.digest == held.digest
        return Age.AHEAD if is_ahead else Age.OTHER

    def draw(self, private: int, towards: Commit) -> None:
        """The standby is to be changed, or synced, up to a commit; durable with the next sync of its filesystem. OSError."""
        self._drawn = secrets.token_bytes(_SIZE)
        fd = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=private)
        try:
            # In place, in one block: so it needs no room, and is there as a whole or not at all.
            os.pwrite(fd, _FORM.pack(self._drawn, self._noted, towards.number, towards.digest), 0)
        finally:
            os.close(fd)

    def note(self) -> None:
        """The token that was drawn last is in the standby, durably; here with the next durable write."""
        self._local.set_value(TOKEN, self._drawn)
        self._noted = self._drawn


def newest_token(private: int) -> bytes:
    """The token that stands in an open private directory; empty for none. OSError."""
    newest = _read(private).newest
    return b"" if newest == _NONE else newest


def _read(private: int) -> _Held:
    """The token file of the standby; ``_NONE`` for no token."""
    try:
        fd = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=private)
    except FileNotFoundError:
        return _Held(_NONE, _NONE, NOTHING, b"")
    try:
        found = read_exact(fd, 0, _FORM.size)
    finally:
        os.close(fd)
    newest, before, number, digest = _FORM.unpack(found.ljust(_FORM.size, b"\0"))
    return _Held(newest, before, CommitNumber(number), digest)
