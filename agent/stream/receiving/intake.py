"""The loop of the answering side: read ahead, handle, share syncs, answer.

One thread reads what comes into a short queue; the one that runs :meth:`Intake.answers` (the server's own) does
everything else, so the receiver has one thread, and a lone small commit passes no other on its way to the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from agent.core.clock import Clock
from agent.core.errors import (
    Damaged,
    HikaeError,
    NotPermitted,
    OtherDigest,
    StoreFailed,
    TryAgain,
    Unreachable,
    WireError,
)
from agent.core.problem import ProblemCode
from agent.core.problem_codes import (
    BUSY,
    DAMAGED,
    DIGEST_DIFFERS,
    DISK_RESERVE,
    FAILED,
    IDENTITY,
    PROTOCOL,
    SILENT,
    STORE_FAILED,
)
from agent.fs.reserve import ReserveReached, VaultLimitReached
from agent.store.vault.patch_chains import BaseUnknown
from agent.stream.messages import CREDIT, HEARTBEAT, SILENCE, Answers, Batch, Hello, Refuse, SecondaryPart, bad
from agent.stream.receiving.one_call import Seats
from agent.stream.receiving.receiver import Receiver

HELLO_WITHIN = 10.0
#: How long a seal may wait for others to share its sync, while more is already there.
SHARE_SECONDS = 0.02
#: What was worked off is told at least so often, and whenever nothing more is there: the sender measures the link by it, and has
#: as much under way as that carries.
TELL_SECONDS = 0.1
_AHEAD = 16
_TICK = 1.0


class Directory(Protocol):
    """Who may replicate what to this node."""

    def accept(self, peer: str, hello: Hello) -> Receiver | Answers:
        """A receiver for the dataset, or what is answered, which ends with why not. ``peer`` is the name that the certificate
        proves. Called before an older call for the same dataset has ended: nothing may be written yet."""
        ...


class Intake:
    """Serves one call. ``cancel`` tears the transport's call down; any thread may call it at any time. ``hello_within``: so many
    seconds its first part may take.

    The reading thread ends with the call: ``incoming`` must end soon after the answers do."""

    def __init__(
        self,
        peer: str,
        directory: Directory,
        seats: Seats,
        clock: Clock,
        *,
        cancel: Callable[[], None],
        hello_within: float = HELLO_WITHIN,
    ) -> None:
        self._peer = peer
        self._directory = directory
        self._seats = seats
        self._clock = clock
        self._cancel = cancel
        self._hello_within = hello_within
        self._condition = threading.Condition()
        self._inbox: deque[Batch] = deque()
        self._ended = False
        self._left = False
        self._failure: HikaeError | None = None
        self._moved = False

    def answers(self, incoming: Iterator[Batch]) -> Generator[Answers, None, None]:
        """What is to be answered, until the peer's end or a refusal, which is the last answer."""
        reader = threading.Thread(target=self._read, args=(incoming,), name=f"hikae-read-{self._peer}")
        reader.start()
        try:
            yield from self._serve()
        except HikaeError as error:
            yield (refusal_of(error),)
        finally:
            self.leave()

    def leave(self) -> None:
        """End soon: a newer call has come, or the server stops. Does not block."""
        with self._condition:
            self._left = True
            self._condition.notify_all()

    def _evict(self) -> None:
        """A newer call takes the seat. This one may hang in a send on a dead link, so it is torn down."""
        self.leave()
        self._cancel()

    def _serve(self) -> Iterator[Answers]:
        hello = self._hello()
        receiver = self._directory.accept(self._peer, hello)
        if not isinstance(receiver, Receiver):
            yield receiver
            return
        with self._seats.taken(hello.dataset, self._evict):
            receiver.ends = self._check_left
            try:
                with self._watching(receiver):
                    welcome = receiver.open()
                    yield welcome
                    if not isinstance(welcome[-1], Refuse):
                        yield from self._exchange(receiver)
            finally:
                receiver.close()

    @contextmanager
    def _watching(self, receiver: Receiver) -> Iterator[None]:
        """Wake up for what there is to tell."""
        boards = [receiver.board, receiver.standings]
        for board in boards:
            if board is not None:
                board.watch(self._has_moved)
        try:
            yield
        finally:
            for board in boards:
                if board is not None:
                    board.unwatch(self._has_moved)

    def _hello(self) -> Hello:
        """The first part of the call. Raises ``WireError``, ``NotPermitted``, ``Unreachable``."""
        with self._condition:
            self._condition.wait_for(lambda: self._inbox or self._ended or self._left, self._hello_within)
            self._raise_failure()
            if not self._inbox:
                raise Unreachable("serve a call", self._peer, f"no hello came within {self._hello_within:.0f} s")
            batch = self._inbox.popleft()
            self._condition.notify_all()
        hello = batch[0] if len(batch) == 1 else None
        if not isinstance(hello, Hello):
            raise bad("something else than a hello first")
        if hello.node != self._peer:
            reason = f"its certificate is for {self._peer!r}, and it says it is {hello.node!r}"
            raise NotPermitted("serve a call", self._peer, reason, "give the node the certificate of its own name")
        return hello

    def _exchange(self, receiver: Receiver) -> Iterator[Answers]:
        """Until the peer's end, or a patch of what is not here: sealed commits are still made durable then, others are not."""
        told = receiver.progress()
        told_at = heard_at = self._clock.monotonic()
        sealed_at: float | None = None
        telling = receiver.telling
        while True:
            batch, more, over = self._next(wait=not receiver.waiting)
            now = self._clock.monotonic()
            answers: list[SecondaryPart] = []
            if batch is not None:
                heard_at = now
                try:
                    answers = receiver.handle(batch)
                except BaseUnknown:
                    # It says nothing of what was sealed before, on top of which the next call brings the chunk whole.
                    receiver.flush()
                    raise
                if answers:
                    yield tuple(answers)
            elif now - heard_at > SILENCE:
                raise Unreachable("serve a call", self._peer, f"nothing was heard for {SILENCE:.0f} s")
            if receiver.waiting:
                sealed_at = now if sealed_at is None else sealed_at
                if not more or receiver.full or now - sealed_at >= SHARE_SECONDS:
                    receiver.flush()
                    sealed_at = None
            progress = receiver.progress()
            if (
                progress.position != told.position
                or progress.consumed - told.consumed >= CREDIT // 8
                or (progress != told and (batch is None or not more or now - told_at >= TELL_SECONDS))
                or now - told_at >= HEARTBEAT
                or telling.waits
            ):
                told, told_at = progress, now
                yield (replace(progress, standing=telling.due(), clock=telling.clock()),)
            if questions := tuple(receiver.questions()):
                yield questions
            if over:
                return

    def _next(self, wait: bool) -> tuple[Batch | None, bool, bool]:
        """``(batch or None, whether more is there, whether it was the end)``; waits for something to do if ``wait``."""
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._inbox or self._ended or self._left or self._moved, _TICK)
            self._moved = False
            self._check_left()
            if not self._inbox:
                self._raise_failure()
                return None, False, self._ended
            batch = self._inbox.popleft()
            self._condition.notify_all()
            return batch, bool(self._inbox), False

    def _check_left(self) -> None:
        if self._left:
            raise TryAgain("serve a call", self._peer, "a newer call of the same peer has come, or the node stops")

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, incoming: Iterator[Batch]) -> None:
        """The reading thread: at most ``_AHEAD`` batches and the credit ahead of the other."""
        failure: HikaeError | None = None
        try:
            for batch in incoming:
                if not self._put(batch):
                    break
        except HikaeError as error:
            failure = error
        with self._condition:
            self._failure, self._ended = failure, True
            self._condition.notify_all()

    def _put(self, batch: Batch) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: len(self._inbox) < _AHEAD or self._left)
            self._inbox.append(batch)
            self._condition.notify_all()
            return not self._left

    def _has_moved(self) -> None:
        with self._condition:
            self._moved = True
            self._condition.notify_all()


_CODES: tuple[tuple[type[HikaeError], ProblemCode], ...] = (
    (BaseUnknown, BUSY),
    (OtherDigest, DIGEST_DIFFERS),
    (WireError, PROTOCOL),
    (NotPermitted, IDENTITY),
    (ReserveReached, DISK_RESERVE),
    (VaultLimitReached, DISK_RESERVE),
    (TryAgain, BUSY),
    (StoreFailed, STORE_FAILED),
    (Damaged, DAMAGED),
    (Unreachable, SILENT),
)


def refusal_of(error: HikaeError) -> Refuse:
    """How an error is told to the other side."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
    reason = f"nothing more is received: {error.reason}" if code == DISK_RESERVE else str(error)
    return Refuse(code, reason, error.remedy)
