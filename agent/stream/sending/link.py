"""One peer of one dataset, from the primary: dial, exchange, back off, dial again. Knows attempts, and nothing of
data."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from agent.core.backoff import Backoff
from agent.core.clock import Clock
from agent.core.errors import HikaeError, Unreachable, WireError
from agent.core.problem import Problem, ProblemCode, Severity
from agent.core.problem_codes import (
    BUSY,
    DIGEST_DIFFERS,
    DISCONNECTED,
    DISK_RESERVE,
    KIND_DIFFERS,
    NOT_PRIMARY,
    NOT_STANDBY,
    PROTOCOL,
    UNKNOWN_DATASET,
    VERSION,
)
from agent.stream.footing import LineageBroken
from agent.stream.messages import Answers, Batch, Welcome
from agent.stream.sending.forecast import Meter
from agent.stream.sending.rounds import Stalled
from agent.stream.sending.sender import CallPhase, Sender
from agent.stream.sending.talk.refusals import RefusedByPeer

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
#: A peer that refuses us changes its mind by an operator's hand only.
REFUSED_PAUSE = 5.0
#: A node that is no standby now may become one at any moment, and whoever makes it one waits for our next call.
ROLE_PAUSE = 2.0
CLOSE_WITHIN = 2.0
_STEADY = 60.0
#: A call that has lasted so long, in seconds, shows that the link is back.
_BACK = 1.0
_TICK = 1.0
#: What a peer that welcomes a call has taken back: the link is lost, or it takes no call for the dataset.
_ENDED_BY_A_WELCOME = frozenset({DISCONNECTED, BUSY, KIND_DIFFERS, NOT_PRIMARY, NOT_STANDBY, UNKNOWN_DATASET, VERSION})


class Transport(Protocol):
    """The way to a peer; one call at a time. Used by one link."""

    def exchange(self, peer: str, outgoing: Iterator[Batch]) -> Iterator[Answers]:
        """Begin a call: ``outgoing`` is pulled in a thread of the transport. The iterator returned gives the answers
        and ends with the call. Raises ``Unreachable`` or ``NotPermitted``, from the call or the iterator, with a
        reason that an operator can read."""
        ...

    def cancel(self) -> None:
        """End the call that is going on, if any: both iterators end soon. Any thread."""
        ...


@dataclass(frozen=True, slots=True)
class LinkState:
    """What status shows. ``since``: UTC ns of the present ``phase`` beginning (None: no call); ``error``: why the last
    call ended, cleared once a call streams or has lasted a minute, of a lost link once it is back; ``behind``, ``sent``: bytes,
    the former None while it is not known what the peer lacks; ``gains``: bytes a second that the peer works off; ``welcome``: the
    peer's last, None before any."""

    peer: str
    connected: bool
    phase: CallPhase
    since: int | None
    attempts: int
    error: Problem | None
    behind: int | None
    sent: int
    gains: float
    welcome: Welcome | None = None


@dataclass(frozen=True, slots=True)
class Dialling:
    """How calls are begun and ended. ``chance``: from 0 to 1, so that nodes do not dial in step; ``close_within``: seconds
    that a peer has to end a call that we ended."""

    chance: Callable[[], float] = random.random
    close_within: float = CLOSE_WITHIN


DIALLING = Dialling()


class Link:
    """Keeps a call to one peer going. Two threads while it runs: one dials and watches the deadlines, one hears.

    ``make_sender`` gives a fresh sender for each call (it may raise ``HikaeError`` while the dataset is not to be
    sent); ``broken`` is told each failure, so that the node can act on ``LineageBroken`` and ``RefusedByPeer``."""

    def __init__(
        self,
        peer: str,
        dataset: str,
        transport: Transport,
        make_sender: Callable[[], Sender],
        clock: Clock,
        *,
        broken: Callable[[HikaeError], None],
        dialling: Dialling = DIALLING,
    ) -> None:
        self._peer = peer
        self._transport = transport
        self._make_sender = make_sender
        self._clock = clock
        self._broken = broken
        self._dialling = dialling
        self._thread = threading.Thread(target=self._run, name=f"hikae-link-{dataset}-{peer}")
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._sender: Sender | None = None
        self._error: Problem | None = None
        self._welcome: Welcome | None = None
        self._attempts = 0
        self._gains = Meter()
        self._began = 0.0
        self._caught_up = False
        #: Whether a commit came out otherwise at the peer, and none has come out right since.
        self._doubted = False
        self._phase: tuple[CallPhase, int | None] = (CallPhase.ENDED, None)

    def start(self) -> None:
        """Begin dialling."""
        self._thread.start()

    def stop(self, timeout: float = CLOSE_WITHIN) -> None:
        """End the call after the commit that it is in, at most ``timeout`` seconds later; waits for the threads, if it was begun
        at all."""
        self._stopping.set()
        self._hurry.set()
        sender = self._sender
        if sender is not None:
            sender.close()
        if self._thread.ident is None:
            return
        self._thread.join(timeout)
        self._transport.cancel()
        self._thread.join()

    def dial_now(self) -> None:
        """Do not wait out the pause: the address or the peer has changed."""
        self._hurry.set()

    @property
    def is_connected(self) -> bool:
        """Whether the peer has welcomed a call that has not ended; any thread."""
        sender = self._sender
        return sender is not None and sender.phase is not CallPhase.ENDED and sender.talk.welcome is not None

    def state(self) -> LinkState:
        """For status; any thread."""
        sender = self._sender
        phase = sender.phase if sender is not None else CallPhase.ENDED
        if phase is not self._phase[0]:
            self._phase = (phase, self._clock.now_ns() if phase is not CallPhase.ENDED else None)
        connected = self.is_connected
        # A peer that is sent to slowly, or later, catches up for hours: what was before is no news then.
        steady = connected and self._clock.monotonic() - self._began > _STEADY
        if (
            phase is CallPhase.STREAMING
            or (steady and sender is not None and not sender.is_fruitless)
            or self._is_back(connected)
        ):
            self._error = None
        self._remember(sender)
        return LinkState(
            peer=self._peer,
            connected=connected,
            phase=phase,
            since=self._phase[1],
            attempts=self._attempts,
            error=self._error,
            behind=sender.behind_bytes if sender is not None and connected else None,
            sent=sender.talk.under_way.sent if sender is not None else 0,
            gains=self._gains.rate() if sender is not None else 0.0,
            welcome=self._welcome,
        )

    def _is_back(self, connected: bool) -> bool:
        """Whether the last call was lost by the link alone, or never welcomed, and this one has lasted for a moment."""
        lost = self._error is not None and self._error.code in _ENDED_BY_A_WELCOME
        return lost and connected and self._clock.monotonic() - self._began > _BACK

    def _remember(self, sender: Sender | None) -> None:
        if sender is not None and sender.talk.welcome is not None:
            self._welcome = sender.talk.welcome

    def _run(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while not self._stopping.is_set():
            self._began = self._clock.monotonic()
            failure = self._attempt()
            if failure is not None:
                self._failed(failure)
            if self._caught_up or self._clock.monotonic() - self._began > _STEADY:
                backoff.succeeded()
            pause = backoff.next_wait(REFUSED_PAUSE if _is_busy(failure) else None)
            self._hurry.wait(_patience(failure, pause) * (0.5 + self._dialling.chance()))
            if not self._stopping.is_set():
                self._hurry.clear()

    def _attempt(self) -> HikaeError | None:
        """One call from its beginning to its end; returns why it ended, None when we ended it."""
        self._attempts += 1
        self._caught_up = False
        try:
            sender = self._sender = self._make_sender()
        except HikaeError as error:
            return error
        if self._doubted:
            sender.doubt()
        hearer = threading.Thread(target=self._hear, args=(sender,), name=f"{self._thread.name}-hear")
        hearer.start()
        if self._stopping.is_set():
            sender.close()
        self._gains = Meter()
        while not sender.talk.watch(_TICK):
            self._gains.count(self._clock.monotonic(), sender.talk.under_way.worked_off)
        if sender.talk.failure is None:
            # We ended it, and the peer should do the same; one that does not would keep us from ever dialling again.
            hearer.join(self._dialling.close_within)
        if sender.talk.failure is not None or hearer.is_alive():
            self._transport.cancel()
        hearer.join()
        sender.release()
        self._caught_up = sender.caught_up
        self._doubted = self._doubted and not self._caught_up
        self._remember(sender)
        self._sender = None
        return sender.verdict()

    def _hear(self, sender: Sender) -> None:
        failure: HikaeError | None = None
        try:
            for answers in self._transport.exchange(self._peer, sender.outgoing()):
                sender.incoming(answers)
            if not sender.talk.closing:
                failure = Unreachable("replicate", self._peer, "the peer ended the call", "it is dialled again")
        except HikaeError as error:
            failure = error
        finally:
            sender.talk.end(failure)

    def _failed(self, failure: HikaeError) -> None:
        self._doubted = self._doubted or _is_other_digest(failure)
        path = failure.path if isinstance(failure, Stalled) else b""
        message = f"{self._peer}: {failure.reason}"
        self._error = Problem(_code_of(failure), Severity.ERROR, self._clock.now_ns(), path, message, failure.remedy)
        self._broken(failure)


def _code_of(failure: HikaeError) -> ProblemCode:
    if isinstance(failure, RefusedByPeer | LineageBroken | Stalled):
        return failure.code
    return PROTOCOL if isinstance(failure, WireError) else DISCONNECTED


def _patience(failure: HikaeError | None, pause: float) -> float:
    """Seconds until the next attempt. A peer that is busy answers, so asking costs little; one that refuses us, or is not
    believed, waits for a person."""
    if _is_other_digest(failure) or _is_busy(failure):
        return pause
    if isinstance(failure, RefusedByPeer) and failure.code in (NOT_STANDBY, NOT_PRIMARY):
        return min(pause, ROLE_PAUSE)
    if isinstance(failure, RefusedByPeer | LineageBroken | WireError):
        return max(pause, REFUSED_PAUSE)
    return pause


def _is_other_digest(failure: HikaeError | None) -> bool:
    return isinstance(failure, RefusedByPeer) and failure.code == DIGEST_DIFFERS


def _is_busy(failure: HikaeError | None) -> bool:
    return isinstance(failure, RefusedByPeer) and failure.code in (BUSY, DISK_RESERVE)
