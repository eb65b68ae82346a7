"""What a node keeps of a dataset's past: plain values, for its own status and for its peers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VaultCheck:
    """The last time that chunks of a vault were read and checked, a share or all: when that ended (UTC ns), how many bytes that
    were, how many chunks were damaged, and how many of these are put back."""

    time_ns: int
    checked_bytes: int
    damaged: int
    mended: int


@dataclass(frozen=True, slots=True)
class VaultVerified:
    """``since_ns``: each chunk that anything needs was checked then or later (UTC ns); None: some never were. ``damaged``: how
    many are known to be so now."""

    since_ns: int | None
    damaged: int
    last: VaultCheck | None


@dataclass(frozen=True, slots=True)
class VaultFacts:
    """What a vault takes. ``limit`` bytes, None for none; ``ratio``: the bytes of the newest state and of all generations
    together, over those that the vault takes; ``bytes_per_day``: growth, None while unknown; ``full_at_ns``: UTC ns when the
    limit is reached at that, None: not within sight; ``verified``: what is known of its chunks."""

    bytes: int
    limit: int | None
    ratio: float | None
    bytes_per_day: int | None
    full_at_ns: int | None
    verified: VaultVerified = VaultVerified(None, 0, None)


@dataclass(frozen=True, slots=True)
class KeptNote:
    """What became of generations: ``at``: UTC ns, above that of the note before on the same node; ``code``: a stable word, one of
    ``NOTED``; ``sentence``: one line."""

    at: int
    code: str
    sentence: str


#: What is noted of generations; public, as they are codes of events.
TAKEN, EXPIRED, PINNED, UNPINNED = "generation-taken", "generation-expired", "generation-pinned", "generation-unpinned"
NOTED = frozenset({TAKEN, EXPIRED, PINNED, UNPINNED})
#: So many of the newest are known, and told to peers.
NOTES_KEPT = 16


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """What a node keeps of the past. ``reaches_ns``: from that moment on every one can be brought back (UTC ns by the primary's
    clock; None: nothing has come); ``generations``: how many there are, ``oldest_ns`` and ``newest_ns`` when they were taken;
    ``notes``: what became of some since the node opened it, the newest last; ``until_ns``: the last of these moments, on a node
    that was promoted since and adds nothing (None: it goes on)."""

    reaches_ns: int | None
    generations: int
    oldest_ns: int | None = None
    newest_ns: int | None = None
    notes: tuple[KeptNote, ...] = ()
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class KeptPast:
    """All of it. ``wanted``: how many seconds of history are configured there."""

    history: HistoryFacts
    wanted: int = 0
    vault: VaultFacts | None = None
