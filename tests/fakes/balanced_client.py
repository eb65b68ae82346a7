"""What a client behind a load balancer saw: the log of ``asking_client``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fakes.eventually import eventually


@dataclass(frozen=True, slots=True)
class BalancedClient:
    """What a client saw, time by time."""

    log: Path

    def seen(self, since: float = 0.0) -> list[tuple[float, str]]:
        """Times and who answered, from a moment on."""
        lines = [line.split() for line in self.log.read_text().splitlines() if line.count(" ") == 1]
        return [(float(at), who) for at, who in lines if float(at) >= since]

    def until(self, name: str) -> None:
        """Wait until a node answers, ten times running."""
        eventually(lambda: {name} == {who for _, who in self.seen()[-10:]} and len(self.seen()) >= 10)

    def moved(self, since: float, name: str) -> float:
        """Seconds from a moment until only that node answered."""
        self.until(name)
        return max([at - since for at, who in self.seen(since) if who != name], default=0.0)
