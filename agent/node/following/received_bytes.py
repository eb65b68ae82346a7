"""How much a standby receives in a day: counted as it comes, so that it is true also while its vault grows no more."""

from __future__ import annotations

import threading

from agent.core.clock import Clock
from agent.generations.vault_growth import Sample, bytes_per_day, decode_samples, encode_samples, sampled
from agent.store.local import Local

_KEY = "received-bytes"


class ReceivedBytes:
    """Bytes as they came over the link: what a commit changes, and not what the vault had of it already. ``came`` and
    ``per_day`` by any thread, ``look`` by one."""

    def __init__(self, local: Local, clock: Clock) -> None:
        self._local = local
        self._clock = clock
        self._lock = threading.Lock()
        self._samples = decode_samples(local.value(_KEY))
        self._total = self._samples[-1].bytes if self._samples else 0

    def came(self, amount: int) -> None:
        """``amount`` more bytes."""
        with self._lock:
            self._total += amount

    def look(self, *, counts: bool) -> None:
        """Keep what is known, now and then. ``counts``: whether what comes is what changed: a first sync is not."""
        with self._lock:
            now = Sample(self._clock.now_ns(), self._total)
            self._samples = sampled(self._samples, now) if counts else ()
            samples = self._samples
        # The last one says how much it is until now; what came since then would be lost with the process.
        self._local.set_value(_KEY, encode_samples((*samples, now) if samples else ()))

    def per_day(self) -> int | None:
        """What comes in a day, over the last whole days that are known; None before an hour of it is."""
        with self._lock:
            return bytes_per_day(self._samples, Sample(self._clock.now_ns(), self._total))
