"""What is known of the chunks of a vault: which were checked when, and which are lost; kept over a restart.

It is kept among the local facts: where these are lost, all is checked anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from agent.core.clock import Clock
from agent.core.kept import VaultCheck, VaultVerified
from agent.core.problem import Problem, ProblemBoard, Severity, kept_path
from agent.core.problem_codes import VAULT_DAMAGED
from agent.generations.checked_names import CheckedNames, NameRange, Stretch, are_whole
from agent.node.following.checking.checked_chunks import CheckedChunks
from agent.store.local import Local

_KEY = "checked-chunks"
#: So many lost chunks are remembered, each with so many paths and generations; the others are met again by their share.
LOST_MOST = 1000
_PATHS, _GENERATIONS = 3, 20
#: Generations that a sentence names.
_NAMED = 3


class LostChunk(NamedTuple):
    """A damaged chunk that was not put back. ``unread``: the disk did not give it, so nobody knows what is there."""

    name: bytes
    reason: str
    unread: bool
    paths: tuple[bytes, ...]
    generations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """``began``: when checks by schedule began, ``ran``: when the last one ended, each UTC ns; 0: never."""

    began: int = 0
    ran: int = 0
    names: CheckedNames = field(default_factory=CheckedNames)
    last: VaultCheck | None = None
    lost: tuple[LostChunk, ...] = ()


class CheckRecord:
    """Of one dataset. Any thread."""

    def __init__(self, dataset: str, local: Local, board: ProblemBoard, clock: Clock) -> None:
        self._dataset = dataset
        self._local = local
        self._board = board
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = _decoded(local.value(_KEY))
        self._told: frozenset[bytes] = frozenset()
        self._tell()

    @property
    def began(self) -> int:
        """When checks by schedule began here, UTC ns; 0: they did not."""
        return self._kept.began

    @property
    def ran(self) -> int:
        """When the last one came to its end, a share or all, UTC ns; 0: none did."""
        return self._kept.ran

    @property
    def names(self) -> CheckedNames:
        """What was checked when."""
        return self._kept.names

    @property
    def lost(self) -> frozenset[bytes]:
        """The names of the chunks that are known to be lost."""
        return frozenset(one.name for one in self._kept.lost)

    def facts(self) -> VaultVerified:
        """For status."""
        kept = self._kept
        return VaultVerified(kept.names.since or None, len(kept.lost), kept.last)

    def begin(self, now: int) -> None:
        """There is a schedule. The first time counts, also over restarts."""
        with self._lock:
            if not self._kept.began:
                self._keep(began=now)

    def checked_share(self, range: NameRange, time: int, found: CheckedChunks) -> None:
        """The chunks with these names were looked at, from ``time`` on (UTC ns)."""
        with self._lock:
            self._keep(names=self._kept.names.checked(range, time), lost=_folded(self._kept.lost, found, range.has))
        self._tell()

    def ended(self, time: int, tally: VaultCheck | None) -> None:
        """A check by schedule came to its end; None: all had been checked a short time ago."""
        with self._lock:
            self._keep(ran=time, last=tally or self._kept.last)

    def checked_all(self, begun: int, ended: int, found: CheckedChunks) -> None:
        """Every chunk that any moment needs was looked at."""
        tally = VaultCheck(ended, found.checked_bytes, len(found.damaged), len(found.mended))
        with self._lock:
            lost = _folded((), found, _any)
            self._keep(ran=ended, names=CheckedNames.all_at(begun), last=tally, lost=lost)
        self._tell()

    def checked_some(self, found: CheckedChunks, answers_for: Callable[[bytes], bool] = lambda _: False) -> None:
        """Some were looked at, all of those that are known to be lost for which ``answers_for`` holds among them."""
        with self._lock:
            self._keep(lost=_folded(self._kept.lost, found, answers_for))
        self._tell()

    def _keep(self, **changed: Any) -> None:  # Any: fields of ``_Kept``
        kept = replace(self._kept, **changed)
        # What is lost is known over a power cut, too.
        self._local.set_value(_KEY, _encoded(kept), durable=kept.lost != self._kept.lost)
        self._kept = kept

    def _tell(self) -> None:
        """The board has a problem for each file that is known to be hurt, and no other of these."""
        with self._lock:
            now = self._clock.now_ns()
            problems = _problems(self._dataset, self._kept.lost, now)
            for path in self._told.difference(problems):
                self._board.clear(VAULT_DAMAGED, path)
            for problem in problems.values():
                self._board.put(problem)
            self._told = frozenset(problems)


def _any(_name: bytes) -> bool:
    return True


def _folded(
    lost: tuple[LostChunk, ...], found: CheckedChunks, answers_for: Callable[[bytes], bool]
) -> tuple[LostChunk, ...]:
    """What is lost after a check: what it found and could not mend, and what it says nothing of."""
    now = {
        one.name: LostChunk(
            one.name,
            one.reason,
            one.name in found.unread,
            tuple(map(kept_path, one.paths[:_PATHS])),
            _newest_first(one.generations)[:_GENERATIONS],
        )
        for one in found.damaged
        if one.name not in found.mended
    }
    known = found.mended.union(now)
    before = [one for one in lost if one.name not in known and not answers_for(one.name)]
    return (*before, *now.values())[:LOST_MOST]


def _newest_first(generations: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(generations, reverse=True))


def _problems(dataset: str, lost: tuple[LostChunk, ...], now: int) -> dict[bytes, Problem]:
    """By path; of a file that lacks several chunks the first is told."""
    found: dict[bytes, Problem] = {}
    for one in lost:
        for path in one.paths:
            found.setdefault(path, _problem(dataset, one, path, now))
    return found


def _problem(dataset: str, one: LostChunk, path: bytes, now: int) -> Problem:
    names, more = one.generations[:_NAMED], len(one.generations) - _NAMED
    where = f"needed in {', '.join(names)}" if names else "needed in history only"
    message = f"the vault lost a chunk of this file ({one.reason}); {where}" + (
        f" and {more:,} more" if more > 0 else ""
    )
    if one.unread:
        remedy = f"see the kernel log for the disk; hikae verify {dataset} --deep --repair writes anew what is still elsewhere"
    else:
        remedy = (
            "what the files of now hold is fetched again by itself; what only earlier moments need is lost, and this ends with "
            f"them. hikae generations verify {dataset} looks again at once"
        )
    return Problem(VAULT_DAMAGED, Severity.ERROR, now, path, message, remedy)


def _encoded(kept: _Kept) -> bytes:
    lost = [
        (one.name.hex(), one.reason, one.unread, [p.hex() for p in one.paths], one.generations) for one in kept.lost
    ]
    last = kept.last
    value = {
        "began": kept.began,
        "ran": kept.ran,
        "next": kept.names.next,
        "stretches": kept.names.stretches,
        "last": (last.time_ns, last.checked_bytes, last.damaged, last.mended) if last is not None else None,
        "lost": lost,
    }
    return json.dumps(value).encode()


def _decoded(value: bytes | None) -> _Kept:
    """As :func:`_encoded` made it; nothing is known where it did not."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, OverflowError):
        kept = json.loads(value or b"{}")
        stretches = tuple(Stretch(*map(int, one)) for one in kept["stretches"])
        if not are_whole(stretches):
            return _Kept()
        lost = tuple(
            LostChunk(bytes.fromhex(name), str(reason), bool(unread), tuple(map(bytes.fromhex, paths)), tuple(named))
            for name, reason, unread, paths, named in kept["lost"]
        )
        last = VaultCheck(*map(int, kept["last"])) if kept["last"] is not None else None
        names = CheckedNames(int(kept["next"]), stretches)
        return _Kept(int(kept["began"]), int(kept["ran"]), names, last, lost)
    return _Kept()
