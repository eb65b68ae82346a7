"""What a standby's vault takes, and what follows from its limit: history gets shorter first, then nothing more is received."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.kept import VaultFacts
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import VAULT_FULL
from agent.fs.reserve import VaultLimitReached
from agent.generations.vault_growth import (
    FULL_SOON,
    Sample,
    bytes_per_day,
    decode_samples,
    encode_samples,
    full_at,
    history_allowed,
    sampled,
)
from agent.node.following.received_bytes import ReceivedBytes
from agent.status.figures import size_text
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local
from agent.stream.messages import Refuse
from agent.stream.receiving.intake import refusal_of

_KEY = "vault-sizes"
#: Seconds between two looks, and between two at what the generations hold.
_LOOK, _COUNT = 10.0, 60.0
#: So little below the limit receiving goes on again, a share of it.
_AGAIN = 0.98


@dataclass(frozen=True, slots=True)
class SpaceStores:
    """``vault``: the directory; ``catalog`` gives a reader of its own."""

    vault: Path
    catalog: Callable[[], CatalogReader]
    local: Local


class VaultSpace:
    """``tick`` by the node's thread; the rest by any. ``dataset``: as it is configured now."""

    def __init__(self, stores: SpaceStores, dataset: Callable[[], Dataset], board: ProblemBoard, clock: Clock) -> None:
        self._stores = stores
        self._dataset = dataset
        self._board = board
        self._clock = clock
        self._lock = threading.Lock()
        self._samples = decode_samples(stores.local.value(_KEY))
        self._size = directory_size(stores.vault)
        self._came = 0
        self._received = ReceivedBytes(stores.local, clock)
        self._full = False
        self._look_at = self._count_at = clock.monotonic()
        self._held_bytes = 0
        self._allowed: int | None = None
        self._judged = 0

    def tick(self, collections: int, *, follows: bool = True) -> None:
        """Look, where it is time. ``collections``: how many came to their end since the start; ``follows``: the first sync is
        through, so that what comes is what changed."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK
            self.measure()
            self._sample()
        if now >= self._count_at:
            self._count_at = now + _COUNT
            self._count()
            self._received.look(counts=follows)
        if collections != self._judged:
            self._judged = collections
            self._judge()

    @property
    def hurries(self) -> bool:
        """Whether it would be well to collect soon."""
        limit = self._dataset().vault_limit
        return limit is not None and self._size + self._came >= FULL_SOON * limit

    def shortened(self) -> Dataset:
        """The dataset with the history that there is room for."""
        dataset = self._dataset()
        allowed = self._allowed
        return dataset if allowed is None or allowed >= dataset.history else replace(dataset, history=allowed)

    def facts(self) -> VaultFacts:
        """For status."""
        limit = self._dataset().vault_limit
        now = Sample(self._clock.now_ns(), self._size)
        growth = bytes_per_day(self._samples, now)
        ratio = round(self._held_bytes / self._size, 2) if self._held_bytes and self._size else None
        return VaultFacts(self._size, limit, ratio, growth, full_at(now, growth, limit))

    def changes_per_day(self) -> int | None:
        """Bytes of changes that come in a day; None while that is not known."""
        return self._received.per_day()

    def refusal(self) -> Refuse | None:
        """Why no call is served now."""
        self.measure()
        return refusal_of(self._reached()) if self._full else None

    def require(self, amount: int) -> None:
        """``amount`` more bytes have come. Raises ``VaultLimitReached``."""
        self._received.came(amount)
        limit = self._dataset().vault_limit
        if limit is None:
            return
        with self._lock:
            self._came += amount
            near = self._full or self._size + self._came >= limit
        if near:
            self.measure()
            if self._full:
                raise self._reached()

    def measure(self) -> None:
        """Look at the vault now, and say what is found."""
        size = directory_size(self._stores.vault)
        limit = self._dataset().vault_limit
        with self._lock:
            self._size, self._came = size, 0
            self._full = limit is not None and size >= limit * (_AGAIN if self._full else 1)
        if not self._full:
            self._board.clear(VAULT_FULL)
            return
        error = self._reached()
        self._board.put(
            Problem(
                VAULT_FULL,
                Severity.ERROR,
                self._clock.now_ns(),
                b"",
                f"nothing more is received: {error.reason}",
                error.remedy,
            )
        )

    def _reached(self) -> VaultLimitReached:
        dataset = self._dataset()
        limit = size_text(dataset.vault_limit or 0)
        reason = f"the vault takes {size_text(self._size)}, and its limit is {limit}"
        remedy = (
            "raise vault_limit on this node and hikae reload. History gets shorter by itself now, so that receiving goes on once "
            f"there is room; generations stay: hikae generations list {dataset.name} shows them, unpin and a smaller keep let "
            "them go"
        )
        return VaultLimitReached("receive", dataset.name, reason, remedy)

    def _sample(self) -> None:
        before = self._samples
        self._samples = sampled(before, Sample(self._clock.now_ns(), self._size))
        if self._samples != before:
            self._stores.local.set_value(_KEY, encode_samples(self._samples))

    def _count(self) -> None:
        """What all that can be brought back by name is together: the newest state, and each generation."""
        try:
            with self._stores.catalog() as reader:
                numbers = {one.number for one in reader.generations()}
                newest = reader.newest()
                commits = [reader.commit_at(number) for number in numbers] + [newest]
        except HikaeError:
            return
        self._held_bytes = sum(commit.bytes for commit in commits if commit is not None)

    def _judge(self) -> None:
        dataset = self._dataset()
        allowed = dataset.history if self._allowed is None else self._allowed
        self._allowed = history_allowed(dataset.history, allowed, self._reaches(), self._size, dataset.vault_limit)

    def _reaches(self) -> int:
        """Seconds for which history is there, by the retention clock: a clock that was set wrong once shortens no history."""
        try:
            with self._stores.catalog() as reader:
                shown, since = reader.retention_row(), reader.newest_since(reader.horizon())
        except HikaeError:
            return self._dataset().history
        return self._dataset().history if shown is None or since is None else (shown[0] - since) // 10**9


def directory_size(vault: Path) -> int:
    """Bytes of the packs and of what stands beside them; what goes meanwhile is not counted."""
    total = 0
    for directory in (vault, vault / "packs"):
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
