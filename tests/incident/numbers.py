"""What a client wrote through the load balancer, and which of its writes `hikae wait --durable` had covered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.api.client import AdminClient
from agent.core.errors import HikaeError
from agent.operations.waiting import WaitRequest
from fakes.agents import Agent
from fakes.eventually import eventually

_PAUSE = 0.05
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Try:
    """One try to write a number: when it was over (monotonic seconds), and ``ok`` or what was wrong."""

    at: float
    number: int
    result: str

    @property
    def is_confirmed(self) -> bool:
        """Whether the application said that it has it."""
        return self.result == "ok"


@dataclass(frozen=True, slots=True)
class Client:
    """The log of ``numbering_client``."""

    log: Path

    def tries(self, since: float = 0.0) -> list[Try]:
        """All that are over, from a moment on."""
        lines = [line.split() for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        found = [Try(float(words[0]), int(words[1]), words[2]) for words in lines if len(words) == 3]
        return [one for one in found if one.at >= since]

    def confirmed(self) -> int:
        """How many numbers are confirmed: 0 up to this one, without it."""
        return max((one.number + 1 for one in self.tries() if one.is_confirmed), default=0)

    def writes_more(self, count: int) -> None:
        """Wait until so many more are confirmed than are now."""
        wanted = self.confirmed() + count
        eventually(lambda: self.confirmed() >= wanted, _PATIENCE)

    def first_after(self, moment: float) -> float:
        """Seconds from a moment until the first write after it that was confirmed."""
        return next(one.at for one in self.tries(moment) if one.is_confirmed) - moment

    def errors(self, since: float, until: float) -> int:
        """How many tries failed between two moments."""
        return sum(not one.is_confirmed for one in self.tries(since) if one.at <= until)

    def longest_gap(self, since: float) -> float:
        """The longest time between two writes that were confirmed, in seconds, from a moment on."""
        times = [one.at for one in self.tries(since) if one.is_confirmed]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)


class Covering(threading.Thread):
    """Runs `hikae wait --durable` again and again on whichever node is the primary; ``upto``: all numbers below it were confirmed
    before a wait began that returned."""

    def __init__(self, client: Client, dataset: str, primary: Callable[[], Agent]) -> None:
        super().__init__(name="covering")
        self._client = client
        self._dataset = dataset
        self._primary = primary
        self._stopped = threading.Event()
        self.upto = 0
        self.waits = 0

    def run(self) -> None:
        """See ``Thread``."""
        while not self._stopped.wait(_PAUSE):
            confirmed = self._client.confirmed()
            try:
                AdminClient(str(self._primary().socket)).ask(WaitRequest(self._dataset, "durable", 5.0))
            except HikaeError:
                continue
            self.upto, self.waits = confirmed, self.waits + 1

    def covers_more(self) -> None:
        """Wait until more is covered than is now."""
        before = self.upto
        eventually(lambda: self.upto > before, _PATIENCE)

    def stop(self) -> None:
        """No more waits are begun."""
        self._stopped.set()
        self.join()
