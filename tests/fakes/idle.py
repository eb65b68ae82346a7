"""What a test hands over where production calls off, wakes or asks somebody, and the test has nobody there."""

from __future__ import annotations

import threading

from agent.core.errors import HikaeError
from agent.status.events import Event, events_between
from agent.status.published import Json
from agent.store.vault.codec import QUICK
from agent.store.vault.reading import VaultReader
from agent.stream.messages import BATCH_TARGET
from agent.stream.sending.batch_builder import Load
from agent.stream.sending.feed import QUEUE_BYTES, Feed


def goes_on() -> None:
    """A ``look`` that ends nothing."""


def nobody_told() -> None:
    """A ``changed`` that nobody waits for."""


def nothing_first(_stopping: threading.Event) -> None:
    """A ``prepare`` of a pump: what stands may be looked at."""


def happened_between(old: Json | None, new: Json) -> list[Event]:
    """What happened from one published value to the next, where the log is empty."""
    return events_between(old, new, lambda _: False)


def feed_at_all_hours(limit: int = QUEUE_BYTES) -> Feed:
    """To whose peers something may always be sent."""
    return Feed(lambda _: False, limit)


def quick_load() -> Load:
    """Packed and filled as on a fast link."""
    return Load(lambda: QUICK, lambda: BATCH_TARGET)


def damaged_in(vault: VaultReader, *, deep: bool = True) -> list[tuple[bytes, HikaeError]]:
    """The chunks that are not as they should be, with what is wrong."""
    return list(vault.check(deep, goes_on))
