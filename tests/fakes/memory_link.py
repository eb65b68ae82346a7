"""A link between both ends of a stream in one process, which can be cut at any batch."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.core.errors import Unreachable
from agent.stream.messages import Answers, Batch
from agent.stream.receiving.intake import Intake
from agent.stream.weights import weight
from fakes.stream_fakes import Secondary


class _Pipe:
    """A queue with two ends, either of which may close it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.closed = threading.Event()

    def put(self, item: object) -> None:
        self._queue.put(item)

    def close(self) -> None:
        self.closed.set()
        self._queue.put(None)

    def __iter__(self) -> Iterator[object]:
        while not self.closed.is_set():
            item = self._queue.get()
            if item is None:
                return
            yield item


@dataclass
class MemoryTransport:
    """Calls in memory. ``cut_up``, ``cut_down``: the link breaks instead of carrying that batch of a call (0 is the first).
    What was carried before is handled; whoever sends more after the cut is not heard."""

    secondary: Secondary
    caller: str = "alpha"
    cut_up: int | None = None
    cut_down: int | None = None
    up: list[Batch] = field(default_factory=list)
    down: list[Answers] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pipes: tuple[_Pipe, ...] = ()
        self._broken = False

    @property
    def carried(self) -> int:
        """Weight of all that went up, over all calls."""
        return sum(map(weight, self.up))

    def cancel(self) -> None:
        for pipe in self._pipes:
            pipe.close()

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        up, down = self._pipes = _Pipe(), _Pipe()
        self._broken = False
        intake = self.secondary.intake(self.caller, up.close)
        threads = [
            threading.Thread(target=self._carry_up, args=(outgoing, up), name="memory-up"),
            threading.Thread(target=self._carry_down, args=(intake, up, down), name="memory-down"),
        ]
        for thread in threads:
            thread.start()
        try:
            yield from down  # type: ignore[misc]  # a pipe of answers
        finally:
            up.close()
            down.close()
            intake.leave()
            for thread in threads[1:]:
                thread.join()
        if self._broken:
            raise Unreachable("replicate", peer, "the link was cut")

    def _carry_up(self, outgoing: Iterator[Batch], up: _Pipe) -> None:
        for count in itertools.count():
            batch = next(outgoing, None)
            if batch is None or up.closed.is_set():
                break
            if count == self.cut_up:
                self._broken = True
                break
            self.up.append(batch)
            up.put(batch)
        up.put(None)

    def _carry_down(self, intake: Intake, up: _Pipe, down: _Pipe) -> None:
        for count, answers in enumerate(intake.answers(up)):  # type: ignore[arg-type]  # a pipe of batches
            if count == self.cut_down:
                self._broken = True
                self.cancel()
                break
            self.down.append(answers)
            down.put(answers)
        down.put(None)
