"""Entries that are told of now and brought into the batch later."""

from __future__ import annotations

from dataclasses import dataclass

from agent.capture.files.large_queue import LargeQueue
from agent.capture.files.waiting_for_room import Later


@dataclass(frozen=True, slots=True)
class Queues:
    """``large``: files to be read in slices, or once they are due; ``later``: entries that wait for the link."""

    large: LargeQueue
    later: Later
