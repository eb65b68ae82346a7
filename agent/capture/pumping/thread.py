"""The thread of a pump, whatever it captures: how it begins and ends, what is asked of it, and what becomes of an error."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agent.capture.access.standstill import MeetsOthers, Standstill, StandstillLimits
from agent.capture.committer import CaptureStopped
from agent.capture.facts import CapturePhase
from agent.capture.ports import CaptureContext
from agent.capture.pumping.requests import PumpRequests
from agent.capture.tickets import Errand, Ticket
from agent.core.commit import Quiesced
from agent.core.errors import CalledOff, HikaeError
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import CAPTURE_FAILED
from agent.fs.thaw_guard import Freezing
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Horizons
from agent.watch.hint import Passing

T = TypeVar("T")
_STANDSTILL = StandstillLimits()


@dataclass(frozen=True, slots=True)
class PumpCalls:
    """What the pump calls its owner for. ``set_barrier``, by any thread: see ``Watcher.set_barrier``. By the pump's: ``failed``
    once, when it cannot go on; ``horizons`` now and then, when it has nothing else to do: how far history is to reach;
    ``require_room`` with the bytes of rows before each commit: it raises ``TryAgain`` while there is no room for
    them; ``prepare`` once, before anything is looked at: what is not to be captured half-done, with what is set once the pump
    is to end."""

    set_barrier: Callable[[], Passing]
    failed: Callable[[Exception], None]
    horizons: Callable[[], Horizons]
    require_room: Callable[[int], None]
    prepare: Callable[[threading.Event], None]


class PumpThread(ABC):
    """Captures one dataset. Constructing does nothing; ``start`` begins, ``stop`` ends and may be called from any thread.

    Who captures a tree or a device derives from this, and takes turns until the thread is to end."""

    def __init__(self, context: CaptureContext, calls: PumpCalls, requests: PumpRequests) -> None:
        self._context = context
        self._catalog = context.catalog
        self._clock = context.clock
        self._calls = calls
        self._asked = requests
        self._stopping = threading.Event()
        self._phase = CapturePhase.STARTING
        self._first_sync = False
        self._by_event = self._by_reconcile = 0
        self._last_reconcile: int | None = None
        self._thread = threading.Thread(target=self._run, name=f"pump-{context.dataset}")

    # --- from any thread

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step in hand; tickets that wait are cancelled."""
        self._stopping.set()
        self._asked.close()
        if self._thread.ident is not None:
            self._thread.join()

    def reconcile(self, reason: str, *, believing: bool = True) -> Ticket:
        """Look at everything; the ticket is done when all of it is committed. ``reason`` is for people; ``believing``: whether
        what has its old stat is taken to be as it was. Else all is read, also by a walk that goes on; raises as ``Local``."""
        if not believing:
            self._context.local.doubt()
        ticket = Ticket(f"reconcile ({reason})")
        self._asked.ask_for_walk(ticket)
        return ticket

    def stand_still(
        self,
        freezing: Freezing,
        path: str,
        limits: StandstillLimits = _STANDSTILL,
        reached: Quiesced = Quiesced.CRASH,
        together: MeetsOthers | None = None,
    ) -> Standstill:
        """Capture a moment at which the source stands still; ``path`` names it to people, ``reached`` is told of the commit. It
        tells by ``wait``."""
        asked = Standstill(freezing, path, self._calls.set_barrier, limits, reached, together)
        self._asked.ask_for_standstill(asked)
        return asked

    def accept_root(self) -> None:
        """The operator says that what stands at the source's path now is right."""
        self._asked.accept_root()

    def between_commits(self, action: Callable[[Catalog], T], *, then_ends: bool) -> T:
        """Have something done with the catalog by the thread that owns it, while nothing is staged; what it returned or raised.
        Waits. ``then_ends``: nothing is captured after it, whatever was gathered: the pump is to be stopped, another made.

        Raises ``CalledOff`` when capture ends before it came to it."""
        errand = Errand(action, then_ends=then_ends)
        self._asked.ask_for_errand(errand)
        return errand.result()

    @property
    def ended(self) -> bool:
        """Whether nothing is captured any more."""
        return self._phase is CapturePhase.STOPPED

    # --- the thread

    def _run(self) -> None:
        try:
            self._calls.prepare(self._stopping)
            self._begin()
            newest = self._catalog.newest()
            self._first_sync = newest is None or not newest.consistent
            while not self._stopping.is_set():
                self._do_errand()
                self._turn()
        except (CaptureStopped, CalledOff):
            pass
        except HikaeError as error:
            self._fail(error, f"{error.reason} ({error.subject})" if error.subject else error.reason, error.remedy)
        # Whatever it was: a pump that is gone must be seen, or nothing would be replicated in silence.
        except Exception as error:  # noqa: BLE001
            self._fail(error, f"{type(error).__name__}: {error}", "report this, and restart the agent")
        finally:
            self._phase = CapturePhase.STOPPED
            self._end()

    @abstractmethod
    def _begin(self) -> None:
        """What is known of the source is read, before anything is looked at."""

    @abstractmethod
    def _turn(self) -> None:
        """Some of what is to be done, or a rest."""

    @abstractmethod
    def _end(self) -> None:
        """Tell all who wait that nobody answers them, and give back what is open."""

    def _do_errand(self) -> None:
        if (errand := self._asked.take_errand()) is not None and errand.do(self._catalog):
            raise CaptureStopped

    def _fail(self, error: Exception, reason: str, remedy: str) -> None:
        self._context.board.put(
            Problem(CAPTURE_FAILED, Severity.ERROR, self._clock.now_ns(), b"", f"capture stopped: {reason}", remedy)
        )
        self._calls.failed(error)
