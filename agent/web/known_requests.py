"""Requests that came before, byte for byte: what they ask for is known, so that they cost one look at the published state.

A load balancer sends the same bytes each time. Who has them parsed and routed once may answer them from then on by
:class:`KnownRequest`, whose answer is true at each time and whose bytes are those that the whole way would send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus

from starlette.responses import Response

from agent.core.recent_map import RecentMap
from agent.web.questions import Answer

#: Longer ones are no load balancer's; so many different ones are known.
LONGEST, MOST = 2048, 256
Headers = Iterable[tuple[bytes, bytes]]


class KnownRequest:
    """One request. ``answers``: what it is answered now; ``response``: an answer as HTTP has it."""

    __slots__ = ("_answer", "_answers", "_bytes", "_headers", "_response")

    def __init__(self, answers: Callable[[], Answer], response: Callable[[Answer], Response]) -> None:
        self._answers = answers
        self._response = response
        self._answer: Answer | None = None
        self._headers: Headers = ()
        self._bytes = b""

    def said(self, headers: Headers) -> bytes:
        """All that is sent for it now. ``headers``: those that come before its own; the same object as long as they are the
        same."""
        answer = self._answers()
        if answer != self._answer or headers is not self._headers:
            self._bytes = _written(self._response(answer), headers)
            self._answer, self._headers = answer, headers
        return self._bytes


#: By their bytes; those of one listener.
KnownRequests = RecentMap[bytes, KnownRequest]


def _written(response: Response, before: Headers) -> bytes:
    """HTTP/1.1, on a connection that stays."""
    code = HTTPStatus(response.status_code)
    lines = [b"%s: %s\r\n" % header for header in (*before, *response.raw_headers)]
    return b"".join((b"HTTP/1.1 %d %s\r\n" % (code, code.phrase.encode()), *lines, b"\r\n", bytes(response.body)))
