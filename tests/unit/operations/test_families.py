"""The list of all operations, from which routes, client and desk derive."""

from __future__ import annotations

from typing import Any

import pytest

from agent.api.addresses import address_of
from agent.api.routes import HttpRequest, asked_for, parse_target
from agent.operations.arguments import read_request
from agent.operations.declaration import Operation, Request, operation_of
from agent.operations.families import FAMILIES, OPERATIONS
from agent.operations.verifying import VerifyRequest

#: What changes something, and so what a journal has a line of for each call.
CHANGING = [
    "accept",
    "dataset-remove",
    "fence",
    "generations-before",
    "generations-collect",
    "generations-expire",
    "generations-pin",
    "generations-take",
    "generations-take-group",
    "generations-take-offline",
    "generations-unpin",
    "generations-verify",
    "keep-standing",
    "mark",
    "pause",
    "promote",
    "rehearse",
    "rejoin",
    "reload",
    "resume",
    "resync",
    "resync-vault",
    "rollback",
    "serve",
    "switchover",
    "switchover-look",
    "take-over",
    "verify",
]


def _request(operation: Operation) -> Request[Any]:
    return read_request(operation.request, {"dataset" if operation.on_dataset else "name": "a/b c"})


def test_every_declaration_is_listed_once() -> None:
    """No two families declare the same name or the same request."""
    declared = [one for family in FAMILIES for one in vars(family).values() if isinstance(one, Operation)]
    assert (len(declared), len(declared)) == (len(OPERATIONS), len({one.request for one in declared}))


def test_what_changes_something_is_known() -> None:
    """Of all that is declared; and of a verify each call says by itself."""
    assert CHANGING == sorted(name for name, one in OPERATIONS.items() if one.can_change)
    verify = OPERATIONS["verify"]
    assert [False, True] == [verify.changes(VerifyRequest("web", repair=repair)) for repair in (False, True)]


def test_what_may_be_typed_on_another_node_is_long_and_of_one_side() -> None:
    """A network lies in between, and the role says which node is concerned; what each node says of itself changes nothing. A
    switchover concerns both, and each looks at who asks."""
    afar = [one for one in OPERATIONS.values() if one.afar is not None]
    assert [] == [one.name for one in afar if not one.long]
    of_both = {one.name: one.can_change for one in afar if one.role is None}
    assert {"whereabouts": False, "switchover": True, "switchover-look": True, "take-over": True} == of_both


def test_what_keeps_a_generation_is_seldom_typed_on_another_node() -> None:
    """Each stays for long, and whoever has the primary's credentials may ask for as many as he likes."""
    keeping = {
        name: one.afar.every for name, one in OPERATIONS.items() if one.afar is not None and "generations" in name
    }
    assert {"generations-before": 10.0, "generations-take": 60.0, "generations-take-group": 60.0} == {
        name: every for name, every in keeping.items() if every
    }


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.name)
def test_every_operation_arrives_as_it_was_asked_for(operation: Operation) -> None:
    """Its address leads back to it, with the same arguments, whatever the dataset is called."""
    request = _request(operation)
    address = address_of(request)
    path, query = parse_target(address.target)
    found = asked_for(HttpRequest(address.method, path, query if address.body is None else address.body))
    assert (operation, request, operation) == (*found, operation_of(request))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.name)
def test_every_request_says_what_is_answered(operation: Operation) -> None:
    """Its docstring is the documentation of the interface, and not the one that dataclasses make."""
    words = operation.request.__doc__ or ""
    assert (True, False) == (words.endswith("."), words.startswith(operation.request.__name__))
