"""Who typed what: one event, and with it one line of the journal, for each call that changes something, before it is done; and
one more where it was refused or failed. Pure but for names."""

from __future__ import annotations

import pwd
from dataclasses import dataclass, fields
from typing import Any

from agent.core.errors import Exit, HikaeError
from agent.operations.arguments import DATASET
from agent.operations.declaration import DatasetRequest, Request, operation_of
from agent.status.event import OPERATOR
from agent.status.events import Event
from agent.status.text import shown

#: Ends of calls that did nothing.
_REFUSED = (Exit.USAGE, Exit.REFUSED, Exit.NOT_FOUND, Exit.NOT_PERMITTED, Exit.CONFIG)
#: Characters of one argument that are told.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """A user at the socket: ``uid`` as the kernel knows it; ``login`` the user that the session began as, None where that is not
    known (``sudo`` changes the first and not the second)."""

    uid: int
    login: int | None = None


def typed_event(caller: Caller, request: Request[Any], error: HikaeError | None = None) -> Event | None:
    """What is told of a call; None where it changes nothing. ``error``: as :func:`event_of`."""
    # Users' names are looked up for what is told only.
    return event_of(who_typed(caller), request, error) if operation_of(request).changes(request) else None


def event_of(who: str, request: Request[Any], error: HikaeError | None = None) -> Event | None:
    """What is told of a call of ``who``, in words; None where it changes nothing. ``error``: what it ended with, None before
    it is done."""
    if not operation_of(request).changes(request):
        return None
    dataset = request.dataset if isinstance(request, DatasetRequest) else ""
    ended = "" if error is None else f": {_ended(error)}"
    return Event(dataset, OPERATOR, f"{who} typed: {_typed(request)}{ended}")


def _ended(error: HikaeError) -> str:
    """``refused (exit code 3): nothing is held``."""
    word = "refused" if error.exit_code in _REFUSED else "failed"
    return f"{word} (exit code {int(error.exit_code)}): {_short(shown(error.reason))}"


def _typed(request: Request[Any]) -> str:
    """The command, with what is not as usual: ``pause web (what=send, seconds=7200)``."""
    words = [operation_of(request).command, *([request.dataset] if isinstance(request, DatasetRequest) else [])]
    unusual = [
        f"{one.name}={_short(shown(str(getattr(request, one.name))))}"
        for one in fields(request)
        if one.name != DATASET and getattr(request, one.name) != one.default
    ]
    return " ".join(words) + (f" ({', '.join(unusual)})" if unusual else "")


def _short(value: str) -> str:
    """Another node may have said it: no call fills the journal, or forges a line of it."""
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"


def who_typed(caller: Caller) -> str:
    """``root (uid 0), logged in as ann (uid 1000)``."""
    login = "" if caller.login in (None, caller.uid) else f", logged in as {_name(caller.login)}"
    return f"{_name(caller.uid)}{login}"


def as_said(peer: str, typist: str) -> str:
    """Who typed it on another node, which that node says and nobody here can prove (law 6): ``alpha says: root (uid 0)``."""
    said = _short(shown(typist))
    return f"{peer} says: {said}" if said else peer


def _name(uid: int | None) -> str:
    """``root (uid 0)``, or the number alone for a user without a name."""
    if uid is None:
        return "?"
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
