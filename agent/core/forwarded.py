"""What was typed on one node and concerns another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

#: Told how a long call goes, as on the admin socket.
Told = Callable[[dict[str, Any]], None]  # Any: JSON is a foreign edge


@dataclass(frozen=True, slots=True)
class Forwarded:
    """``operation``: its name; ``arguments``: those beside the dataset, as JSON; ``typist``: who typed it there, for people."""

    dataset: str
    operation: str
    arguments: Mapping[str, Any]  # Any: JSON is a foreign edge
    typist: str


class ForwardedDesk(Protocol):
    """Whoever has done what other nodes ask for."""

    def answer(self, peer: str, asked: Forwarded, told: Told) -> object:
        """Have it done; its answer, which is JSON. ``peer`` is the name that its certificate proves. Any thread.

        Raises a ``HikaeError`` when it cannot, or may not. ``told`` raises ``ConnectionError`` once nobody waits any more."""
        ...
