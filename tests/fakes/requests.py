"""Calls of every kind that an operation knows."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agent.operations.declaration import Operation, Request


def requests_of(operation: Operation) -> list[Request[Any]]:
    """A call with everything as usual, one with every flag set, and one for each word that can be chosen."""
    hints = get_type_hints(operation.request)
    usual = {one.name: "web" for one in fields(operation.request) if one.default is MISSING}
    flags = {name: True for name, hint in hints.items() if hint is bool}
    assert all(hints[name] is str for name in usual), get_args(hints)
    words = [{name: word} for name, hint in hints.items() if get_origin(hint) is Literal for word in get_args(hint)]
    return [operation.request(**{**usual, **more}) for more in ({}, flags, *words)]
