"""Arguments as JSON: what each kind of field takes, and what it refuses."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from agent.core.errors import UsageError
from agent.operations.arguments import read_request, written
from agent.operations.comparing import FindRequest
from agent.operations.declaration import Request
from agent.operations.pausing import PauseRequest
from agent.operations.reading import MOST_EVENTS, EventsRequest
from agent.operations.verifying import VerifyRequest


def test_what_is_not_said_has_its_default() -> None:
    """And what no field knows is passed over: a newer command line may say more."""
    assert PauseRequest("web") == read_request(PauseRequest, {"dataset": "web", "of-a-later-release": 1})


def test_what_was_written_is_read() -> None:
    """Each field comes back; the dataset stands in the address."""
    request = PauseRequest("web", "send", 7200.0)
    said = written(request)
    assert {"what": "send", "seconds": 7200.0} == said
    assert request == read_request(PauseRequest, {"dataset": "web", **said})


def test_numbers_of_a_query_are_text_and_bounded() -> None:
    """As a query has them; more than there may be is taken as the most."""
    assert EventsRequest(7, MOST_EVENTS) == read_request(EventsRequest, {"since": "7", "limit": "99999999"})


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        (VerifyRequest, {"deep": 1}, "true or false"),
        (VerifyRequest, {"deep": None}, "true or false"),
        (PauseRequest, {"what": "x"}, "both"),
        (PauseRequest, {"what": ["send"]}, "both"),
        (PauseRequest, {"seconds": -1}, "a number of seconds"),
        (PauseRequest, {"seconds": True}, "a number of seconds"),
        (PauseRequest, {"seconds": float("nan")}, "a number of seconds"),
        (PauseRequest, {"seconds": float("inf")}, "a number of seconds"),
        (EventsRequest, {"since": "-1"}, "a whole number"),
        (EventsRequest, {"limit": "9" * 30}, "a whole number"),
        (EventsRequest, {"since": "\u0663"}, "a whole number"),
        (VerifyRequest, {"dataset": None}, "text"),
        (FindRequest, {"pattern": "\ud800"}, "text"),
    ],
)
def test_what_a_field_cannot_be_is_refused(kind: type[Request[Any]], said: dict[str, object], words: str) -> None:
    """With the field's name and what it must be."""
    with pytest.raises(UsageError, match=words):
        read_request(kind, {"dataset": "web", **said})


def test_the_types_of_an_operation_are_looked_up_once() -> None:
    """They are texts in the source: making types of them took longer than all else that a wait does."""
    read_request(EventsRequest, {})
    evaluated: list[str] = []

    def called(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "get_type_hints":
            evaluated.append(frame.f_code.co_name)

    sys.setprofile(called)
    try:
        read_request(EventsRequest, {"since": "7"})
    finally:
        sys.setprofile(None)
    assert [] == evaluated
