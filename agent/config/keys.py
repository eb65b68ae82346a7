"""What is known of a configuration key beside its type: declared once, where the key is, as a part of its annotation.

Everything that speaks of keys derives from that: what may stand in a table, what is proposed to whoever mistyped it, what
``reload`` takes over, what both nodes compare, how a value is written again, and ``docs/configuration.md``.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Key:
    """``example``: a value as it may stand in a file. ``means``: for an operator, without a full stop. ``live``: ``reload`` takes
    it over in a dataset that runs. ``reopens``: ``reload`` takes it over by closing the dataset and opening it anew; what is
    neither waits for a restart. ``shared``: all nodes must have the same; else each has its own. ``acts``: whether this version
    acts on it."""

    example: str
    means: str
    live: bool = False
    reopens: bool = False
    shared: bool = False
    acts: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """How a value stands in a file: the way back of what parses it."""

    write: Callable[[Any], object]  # Any: of the type that it is declared beside


@dataclass(frozen=True, slots=True)
class Declared:
    """A key of a table. ``name`` is dotted from the table on (``brake.window``); ``hint`` its annotation; ``default`` what holds
    when it is left out, ``dataclasses.MISSING`` where it may not be."""

    name: str
    key: Key
    hint: Any  # Any: annotations are of no one type
    default: object


@cache
def keys_of(shape: type) -> tuple[Declared, ...]:
    """Every key of a table and of the tables in it, in the order in which they are declared."""
    return tuple(_keys(shape, "", Key("", "")))


def without_effect(shape: type) -> Iterator[str]:
    """Names of the keys that this version does not act on; of a table none of whose keys it acts on, only that of the table."""
    idle = [one.name for one in keys_of(shape) if not one.key.acts]
    return (name for name in idle if name.rpartition(".")[0] not in idle)


def keys_directly_in(shape: type) -> Iterator[Declared]:
    """Those of the table itself."""
    return (declared for declared in keys_of(shape) if "." not in declared.name)


def as_written(value: object, hint: Any) -> object:  # Any: see ``Declared``
    """A value of a key as it stands in a file, in TOML's types; tables as dicts, with None for what is not set."""
    metadata, base = _peeled(hint)
    if value is None:
        return None
    for one in metadata:
        if isinstance(one, Written):
            return one.write(value)
    if get_origin(base) in (typing.Union, types.UnionType):
        return as_written(value, next(one for one in get_args(base) if one is not types.NoneType))
    if get_origin(base) is tuple and isinstance(value, tuple):
        return tuple(as_written(one, get_args(base)[0]) for one in value)
    return table_as_written(value, base) if dataclasses.is_dataclass(base) else value


def table_as_written(values: object, shape: Any) -> Mapping[str, object]:  # Any: a dataclass of ours
    """All keys of a table, with the values that ``values`` has under their names."""
    hints = get_type_hints(shape, include_extras=True)
    return {
        field.name: as_written(getattr(values, field.name), hints[field.name]) for field in dataclasses.fields(shape)
    }


def _keys(shape: type, prefix: str, above: Key) -> Iterator[Declared]:
    """``above``: the key that the table stands under; what holds for it holds for all of them."""
    hints = get_type_hints(shape, include_extras=True)
    for field in dataclasses.fields(shape):
        hint = hints[field.name]
        metadata, _ = _peeled(hint)
        (own,) = (one for one in metadata if isinstance(one, Key))
        key = Key(
            own.example,
            own.means,
            live=own.live or above.live,
            reopens=own.reopens or above.reopens,
            shared=own.shared or above.shared,
            acts=own.acts and above.acts,
        )
        yield Declared(prefix + field.name, key, hint, field.default)
        inner = _table_in(hint)
        if inner is not None:
            yield from _keys(inner, f"{prefix}{field.name}.", key)


def _table_in(hint: Any) -> type | None:  # Any: see ``Declared``
    """The table that stands under a key: itself, each of a list, or what need not be there."""
    _, base = _peeled(hint)
    if get_origin(base) in (typing.Union, types.UnionType):
        _, base = _peeled(next(one for one in get_args(base) if one is not types.NoneType))
    if get_origin(base) is tuple:
        _, base = _peeled(get_args(base)[0])
    return base if isinstance(base, type) and dataclasses.is_dataclass(base) else None


def _peeled(hint: Any) -> tuple[tuple[Any, ...], Any]:  # Any: see ``Declared``
    """What stands beside a type, and the type."""
    if get_origin(hint) is Annotated:
        return hint.__metadata__, hint.__origin__
    return (), hint
