"""Keeps a session open while what it captures stands, and says why there is none."""

from __future__ import annotations

from agent.capture.ports import CaptureContext, Send, Session, Sessions
from agent.core.hold import Hold
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import PROBLEM_CODES

#: So long, in seconds, a root that stood is taken to stand while nothing is committed.
_SEEN = 0.05


class SessionKeeper:
    """Belongs to the pump's thread; ``session`` and ``hold`` may be read by any. ``send``: see ``Send``."""

    def __init__(self, context: CaptureContext, sessions: Sessions, send: Send) -> None:
        self.session: Session | None = None
        self.hold: Hold | None = None
        self._context = context
        self._sessions = sessions
        self._send = send
        self._seen_at = -_SEEN

    def is_standing(self) -> bool:
        """Whether the session's root stands, as it was seen of late: a commit looks itself, and each look costs more than a short
        turn when another thread wants the interpreter."""
        if self.session is None:
            return False
        now = self._context.clock.monotonic()
        if not self._seen_at <= now < self._seen_at + _SEEN:
            if not self.session.stands():
                return False
            self._seen_at = now
        return True

    def open(self, *, accepted: bool, is_first: bool) -> Session | None:
        """Close the session and open another; None: there is a hold, which is said. ``accepted``: the operator says that what
        stands there now is right; ``is_first``: of a first sync."""
        self.close()
        if accepted:
            self._sessions.accept()
        opened = self._sessions.open(self._send, is_first=is_first)
        if isinstance(opened, Hold):
            self._set_hold(opened)
            return None
        self._set_hold(None)
        self.session = opened
        return opened

    def close(self) -> None:
        """Close the session."""
        if self.session is not None:
            self.session.close()
        self.session = None

    def _set_hold(self, hold: Hold | None) -> None:
        if hold == self.hold:
            return
        board = self._context.board
        if self.hold is not None:
            board.clear(self.hold.code)
        self.hold = hold
        if hold is not None:
            now = self._context.clock.now_ns()
            board.put(Problem(PROBLEM_CODES[hold.code], Severity.ERROR, now, b"", hold.sentence, hold.remedy))
