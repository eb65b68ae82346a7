"""Law 2's question on the receiving side: is every chunk here that the coming commit names?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol

from agent.core import chunks
from agent.core.chunks import Chunk
from agent.core.errors import Damaged, NotFound, WireError

#: Names remembered so that the index need not be asked; beyond it they are asked for again.
_RECENT_MAX = 50_000
#: Chunks that rows name and that are still to come, or that were asked for: more than all questions that a peer may have open.
_ABSENT_MAX = 400_000
_PIECES_MAX = 100_000
#: Bases of patches that are looked at if a commit lacks something; those beyond are found by the next deep verify.
_BASES_MAX = 100_000
_AGAIN = "it is asked for again on the next connection"


class ChunksMissing(WireError):
    """A commit names chunks that neither came nor are here. ``names``: those that are here and damaged."""

    def __init__(self, what: str, names: tuple[bytes, ...] = ()) -> None:
        super().__init__("take a commit", "", f"the peer sent a seal although {what}", _AGAIN)
        self.names = names


class _Piece(NamedTuple):
    """What is below a piece: data and hole entries in all, and levels of pieces, itself included."""

    entries: int
    levels: int


def goes_on() -> None:
    """Nobody ends what takes long."""


class Readable(Protocol):
    """What is asked of the vault to see whether a chunk is what its name says."""

    def read_base(self, name: bytes) -> bytes: ...


class ChunksHeld(Readable, Protocol):
    """What is asked of the vault."""

    def missing(self, names: Sequence[bytes]) -> list[bytes]: ...

    def read(self, name: bytes) -> bytes: ...

    def pin(self, names: Sequence[bytes], owner: Hashable) -> None: ...

    def unpin(self, owner: Hashable) -> None: ...

    @property
    def collections(self) -> int: ...


class Presence:
    """Chunks that a commit in the making names, against what the vault holds. Used by one thread.

    What is found or arrives is pinned until :meth:`forget`, so that collection cannot take it before the commit is
    durable. ``look`` is called at every step of what may take long, and raises what is to end it."""

    def __init__(self, vault: ChunksHeld, look: Callable[[], None], most: int = _PIECES_MAX) -> None:
        """``most``: how many pieces are remembered."""
        self._vault = vault
        self._most = most
        self._look = look
        self._recent: set[bytes] = set()
        #: How often rows of the coming commit name each chunk that is still to come.
        self._absent: dict[bytes, int] = {}
        self._asked: set[bytes] = set()
        #: The pieces of each list that is not flat, and how many rows have it; and how many pieces there are.
        self._lists: dict[bytes, tuple[list[Chunk], int]] = {}
        self._listed = 0
        self._whole: dict[bytes, _Piece] = {}
        self._collections = vault.collections
        self._bases: set[bytes] = set()

    def wanted(self, names: Sequence[bytes]) -> tuple[int, ...]:
        """Indexes of the names that are to be sent: not here, and not asked for already. The others are pinned."""
        if len(self._asked) > _ABSENT_MAX:
            raise _bad("questions without the chunks that were asked for")
        missing = set(self._vault.missing(names)) - self._asked
        self._vault.pin(names, self)
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
        self._vault.pin(names, self)
        if len(self._recent) > _RECENT_MAX:
            self._recent.clear()
        self._recent.update(names)
        if self._absent:
            for name in names:
                self._absent.pop(name, None)
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
            if len(content) == chunks.ONE_SIZE and content[0] == chunks.DATA:
                name = chunks.one_chunk(content)[2]
                if name not in recent:
                    unknown.append(name)
                continue
            entries = chunks.decode(content)
            unknown += [entry.name for entry in entries if entry.kind != chunks.HOLE and entry.name not in recent]
            pieces = [entry for entry in entries if entry.kind == chunks.PIECE]
            if pieces:
                self._lists[content] = pieces, self._lists.get(content, (pieces, 0))[1] + 1
                self._listed += len(pieces)
        if unknown:
            self._vault.pin(unknown, self)
            missing = set(self._vault.missing(unknown))
            for name in unknown if missing else ():
                if name in missing:
                    self._absent[name] = self._absent.get(name, 0) + 1
        if len(self._absent) + self._listed > _ABSENT_MAX:
            raise _bad("too many rows before their chunks")

    def excuse(self, content: bytes) -> None:
        """What one row with this chunk list requires may stay absent, unless another row names it too."""
        names, pieces = _named(content)
        for name in names:
            times = self._absent.pop(name, 0)
            if times > 1:
                self._absent[name] = times - 1
        if pieces:
            _, rows = self._lists.pop(content, (pieces, 0))
            if rows > 1:
                self._lists[content] = pieces, rows - 1

    def excuse_all(self) -> None:
        """Nothing of this commit is required; what lacks is found by :meth:`is_whole`."""
        self._absent.clear()
        self._forget_lists()

    def is_whole(self, content: bytes) -> bool:
        """Whether all that a chunk list names is here, pinned now. Raises ``WireError`` for one that nobody could open."""
        names, pieces = _named(content)
        self._vault.pin(names, self)
        if self._vault.missing(names):
            return False
        bases, self._bases = (
            self._bases,
            set(),
        )  # What came is not looked through for damage, only to be told that some lacks.
        try:
            self._below(pieces, chunks.LEVELS + 1, len(pieces))
        except ChunksMissing:
            return False
        finally:
            self._bases = bases
        return True

    def open_lists(self) -> None:
        """Every list that the commit names is here with all that it names, pinned now, and stands for no more than a file can; or
        ``WireError``. Whoever makes lists of lists says much in few bytes, so this may take long, and holds no lock."""
        for pieces, _ in self._lists.values():
            self._below(pieces, chunks.LEVELS + 1, len(pieces))
        self._forget_lists()

    def settle(self) -> None:
        """All else is here too, or ``WireError``. The caller holds the vault's lock."""
        self._must_hold(list(self._absent))
        self._absent.clear()

    def forget(self) -> None:
        """The commit is durable or withdrawn: nothing is required, asked for or pinned any more."""
        self._absent.clear()
        self._asked.clear()
        self._forget_lists()
        self._recent.clear()
        self._bases.clear()
        self._vault.unpin(self)

    def _forget_lists(self) -> None:
        self._lists.clear()
        self._listed = 0

    def _descend(self, name: bytes, length: int, levels: int) -> _Piece:
        """What is below a piece, which may be so many levels high. Pieces that were found whole before are not opened again
        until a collection begins."""
        if self._vault.collections != self._collections:
            # What was whole then may not be now; whatever is looked at from now on is left by the collection that runs.
            self._collections = self._vault.collections
            self._whole.clear()
        known = self._whole.get(name)
        if known is None:
            entries = self._opened(name, length, levels)
            known = self._below([entry for entry in entries if entry.kind == chunks.PIECE], levels, len(entries))
            self._remember(name, known)
        if known.levels > levels:
            raise _bad("lists in lists without an end")
        return known

    def _remember(self, name: bytes, piece: _Piece) -> None:
        """Where they are too many the lowest go: who remembers a high one opens none of those below it."""
        lowest = 1
        while len(self._whole) >= self._most:
            self._whole = {one: known for one, known in self._whole.items() if known.levels > lowest}
            lowest += 1
        self._whole[name] = piece

    def _opened(self, name: bytes, length: int, levels: int) -> list[Chunk]:
        """The entries of a piece, all of which are here."""
        self._look()
        try:
            inner = self._vault.read(name)
        except (Damaged, NotFound) as error:
            raise ChunksMissing(f"a chunk list cannot be read: {error.reason}", (name,)) from error
        entries = chunks.opened(Chunk(chunks.PIECE, length, name), lambda _: inner, chunks.LEVELS + 1 - levels)
        named = [entry.name for entry in entries if entry.kind != chunks.HOLE]
        self._vault.pin(named, self)
        self._must_hold(named)
        return entries

    def _below(self, pieces: list[Chunk], levels: int, entries: int) -> _Piece:
        """Sums over the pieces in one of ``entries``; ends as soon as they are too many."""
        total, height = entries - len(pieces), 0
        for piece in pieces:
            below = self._descend(piece.name, piece.length, levels - 1)
            total, height = total + below.entries, max(height, below.levels)
            if total > chunks.UNFOLDED_MAX:
                raise _bad(f"a chunk list that stands for more than {chunks.UNFOLDED_MAX:,} entries")
        return _Piece(total, height + 1)

    def _must_hold(self, names: list[bytes]) -> None:
        missing = self._vault.missing(names) if names else []
        if missing:
            damaged = unreadable(self._vault, self._bases, self._look)
            raise ChunksMissing(f"{len(missing)} of its chunks are not here, among them {missing[0].hex()}", damaged)


def _named(content: bytes) -> tuple[list[bytes], list[Chunk]]:
    """What a chunk list names at its top, as often as it does, and the lists among that."""
    entries = [entry for entry in chunks.decode(content) if entry.kind != chunks.HOLE]
    return [entry.name for entry in entries], [one for one in entries if one.kind == chunks.PIECE]


def unreadable(vault: Readable, names: Iterable[bytes], look: Callable[[], None]) -> tuple[bytes, ...]:
    """Those of the names that are here and damaged, or that are here no more. ``look``: see ``Presence``."""
    lost: list[bytes] = []
    for name in names:
        look()
        try:
            vault.read_base(name)
        except (Damaged, NotFound):
            lost.append(name)
    return tuple(lost)


def _bad(what: str) -> WireError:
    return WireError("take a commit", "", f"the peer sent {what}", _AGAIN)
