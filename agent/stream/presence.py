"""Law 2's question on the receiving side: is every chunk here that the coming commit names?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from agent.core import chunks
from agent.core.errors import Damaged, NotFound, WireError

#: Names remembered so that the index need not be asked; beyond it they are asked for again.
_RECENT_MAX = 50_000
#: Chunks that rows name and that are still to come.
_ABSENT_MAX = 1_000_000
_PIECES_MAX = 100_000
#: Bases of patches that are looked at if a commit lacks something; those beyond are found by the next deep verify.
_BASES_MAX = 100_000
_DEPTH_MAX = 8
_AGAIN = "it is asked for again on the next connection"


class ChunksMissing(WireError):
    """A commit names chunks that neither came nor are here. ``names``: those that are here and damaged."""

    def __init__(self, what: str, names: tuple[bytes, ...] = ()) -> None:
        super().__init__("take a commit", "", f"the peer sent a seal although {what}", _AGAIN)
        self.names = names


class Readable(Protocol):
    """What is asked of the vault to see whether a chunk is what its name says."""

    def read_base(self, name: bytes) -> bytes: ...


class Held(Readable, Protocol):
    """What is asked of the vault."""

    def missing(self, names: Sequence[bytes]) -> list[bytes]: ...

    def read(self, name: bytes) -> bytes: ...

    def pin(self, names: Sequence[bytes]) -> None: ...

    def unpin_all(self) -> None: ...


class Presence:
    """Chunks that a commit in the making names, against what the vault holds. Used by one thread.

    What is found or arrives is pinned until :meth:`forget`, so that collection cannot take it before the commit is
    durable."""

    def __init__(self, vault: Held) -> None:
        self._vault = vault
        self._recent: set[bytes] = set()
        self._absent: set[bytes] = set()
        self._asked: set[bytes] = set()
        self._lists: dict[bytes, int] = {}
        self._whole: set[bytes] = set()
        self._bases: set[bytes] = set()

    def wanted(self, names: Sequence[bytes]) -> tuple[int, ...]:
        """Indexes of the names that are to be sent: not here, and not asked for already. The others are pinned."""
        if len(self._asked) > _ABSENT_MAX:
            raise _bad("questions without the chunks that were asked for")
        missing = set(self._vault.missing(names)) - self._asked
        self._vault.pin(names)
        indexes: list[int] = []
        for index, name in enumerate(names):
            if name in missing:
                missing.discard(name)
                indexes.append(index)
                self._asked.add(name)
        return tuple(indexes)

    @property
    def unanswered(self) -> int:
        """How many were asked for and did not come."""
        return len(self._asked)

    def ask_again(self) -> None:
        """What was asked for and did not come will not come: whoever names it next is told that it lacks."""
        self._asked.clear()

    def arrived(self, names: Sequence[bytes]) -> None:
        """These chunks are in the vault now."""
        self._vault.pin(names)
        if len(self._recent) > _RECENT_MAX:
            self._recent.clear()
        self._recent.update(names)
        if self._absent:
            self._absent.difference_update(names)
        if self._asked:
            self._asked.difference_update(names)

    def made_of(self, bases: Sequence[bytes]) -> None:
        """Chunks that arrive were made of these, which nobody has checked."""
        if len(self._bases) < _BASES_MAX:
            self._bases.update(bases)

    def require(self, contents: Sequence[bytes]) -> None:
        """The coming commit holds files with these chunk lists."""
        unknown: list[bytes] = []
        recent = self._recent
        for content in contents:
            if len(content) == 37 and content[0] == chunks.DATA:
                if content[5:] not in recent:
                    unknown.append(content[5:])
                continue
            for entry in chunks.decode(content):
                if entry.kind == chunks.PIECE:
                    self._lists[entry.name] = entry.length
                if entry.kind != chunks.HOLE and entry.name not in recent:
                    unknown.append(entry.name)
        if unknown:
            self._vault.pin(unknown)
            self._absent.update(self._vault.missing(unknown))
        if len(self._absent) + len(self._lists) > _ABSENT_MAX:
            raise _bad("too many rows before their chunks")

    def settle(self) -> None:
        """All is here, or ``WireError``. The caller holds the vault's lock."""
        self._must_hold(list(self._absent))
        for name, length in self._lists.items():
            self._descend(name, length, _DEPTH_MAX)
        self._lists.clear()
        self._absent.clear()

    def forget(self) -> None:
        """The commit is durable or withdrawn: nothing is required, asked for or pinned any more."""
        self._absent.clear()
        self._asked.clear()
        self._lists.clear()
        self._recent.clear()
        self._bases.clear()
        self._vault.unpin_all()

    def _descend(self, name: bytes, length: int, depth: int) -> None:
        """A piece and all below it. Pieces that were found whole before are not opened again: what a commit names
        is not collected while one of its lists stays."""
        if name in self._whole:
            return
        try:
            inner = self._vault.read(name)
        except (Damaged, NotFound) as error:
            raise ChunksMissing(f"a chunk list cannot be read: {error.reason}", (name,)) from error
        if not depth or chunks.length_of(inner) != length:
            raise _bad("a chunk list that does not cover what it claims")
        entries = [entry for entry in chunks.decode(inner) if entry.kind != chunks.HOLE]
        self._must_hold([entry.name for entry in entries])
        for entry in entries:
            if entry.kind == chunks.PIECE:
                self._descend(entry.name, entry.length, depth - 1)
        if len(self._whole) >= _PIECES_MAX:
            self._whole.clear()
        self._whole.add(name)

    def _must_hold(self, names: list[bytes]) -> None:
        missing = self._vault.missing(names) if names else []
        if missing:
            damaged = unreadable(self._vault, self._bases)
            raise ChunksMissing(f"{len(missing)} of its chunks are not here, among them {missing[0].hex()}", damaged)


def unreadable(vault: Readable, names: Iterable[bytes]) -> tuple[bytes, ...]:
    """Those of the names that are here and damaged, or that are here no more."""
    lost: list[bytes] = []
    for name in names:
        try:
            vault.read_base(name)
        except (Damaged, NotFound):
            lost.append(name)
    return tuple(lost)


def _bad(what: str) -> WireError:
    return WireError("take a commit", "", f"the peer sent {what}", _AGAIN)
