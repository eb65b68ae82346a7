"""The arguments of an operation as JSON and back, by the types of its request's fields. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from agent.core.clock import LONGEST_DURATION
from agent.core.errors import UsageError
from agent.operations.declaration import Json, Request

#: The field that a request's address holds.
DATASET = "dataset"
_MOST_DIGITS = 18
_Fields: TypeAlias = Mapping[str, tuple[object, Callable[[object], object]]]
_KNOWN: dict[type[Request[Any]], _Fields] = {}


def written(request: Request[Any]) -> Json:
    """What a request says besides its dataset."""
    return {one.name: getattr(request, one.name) for one in fields(request) if one.name != DATASET}


def read_request(kind: type[Request[Any]], said: Mapping[str, object]) -> Request[Any]:
    """A request of this kind; what is not said has its default, and what it does not know is passed over.

    Raises ``UsageError`` for what its field cannot be."""
    return kind(**{name: reader(said.get(name, default)) for name, (default, reader) in _fields(kind).items()})


def _fields(kind: type[Request[Any]]) -> _Fields:
    """Of each field its default, and how it is read. Types are texts until they are looked up, which costs more than a wait."""
    found = _KNOWN.get(kind)
    if found is None:
        hints = get_type_hints(kind)
        found = _KNOWN[kind] = {one.name: (one.default, _reader(one, hints[one.name])) for one in fields(kind)}
    return found


def _reader(field: Field[Any], hint: object) -> Callable[[object], object]:
    key = field.name
    if get_origin(hint) is Literal:
        return lambda value: _one_of(key, get_args(hint), value)
    if hint == float | None:
        return lambda value: _seconds(key, value)
    most = field.metadata.get("most")
    readers: dict[object, Callable[[object], object]] = {
        bool: lambda value: _flag(key, value),
        int: lambda value: _whole(key, value, most),
        str: lambda value: _text(key, value),
    }
    return readers[hint]


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(key, "true or false")
    return value


def _text(key: str, value: object) -> str:
    if value is MISSING or not isinstance(value, str):
        raise _bad(key, "text")
    try:
        # Names come as text of which any byte may have been made; half of a pair of surrogates comes from nowhere.
        os.fsencode(value)
    except UnicodeEncodeError:
        raise _bad(key, "text") from None
    return value


def _one_of(key: str, choices: tuple[str, ...], value: object) -> str:
    if value not in choices:
        raise _bad(key, " or ".join(choices))
    return str(value)


def _seconds(key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_DURATION:
        raise _bad(key, f"a number of seconds, at most {LONGEST_DURATION}, or null")
    return float(value)


def _whole(key: str, value: object, most: int | None) -> int:
    """A whole number, also as a query has it; what is more than ``most`` is taken as that."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise _bad(key, "a whole number")
    return int(text) if most is None else min(int(text), most)


def _bad(key: str, wanted: str) -> UsageError:
    return UsageError("understand the request", key, f"it must be {wanted}")
