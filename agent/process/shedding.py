"""What of the code only its readers need does not stay in the agent's memory: 6 MiB of 50 (docs/performance.md).

Docstrings, annotations of functions, and the methods that ``dataclasses`` writes anew for each class although they do the same in
all. It is done right after each module is imported, so that the next one takes the memory; once all is imported, holes would be
left that nothing fits into. ``python -OO`` would do a part of it, and compile everything anew at each start where the code may
not be written beside the source.
"""

from __future__ import annotations

import dataclasses
import opcode
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from operator import attrgetter
from types import FunctionType, ModuleType
from typing import Any

#: What code that ``dataclasses`` makes says of its file.
_MADE = "<string>"
_OURS = "agent."
_OF_CONSTANTS = frozenset(opcode.hasconst)


def import_shed() -> None:
    """From now on what is imported of ours is shed; see the module. For a process that is an agent and nothing else."""
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds modules of ours as they are found otherwise."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname.startswith(_OURS) else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        shed_from(module)


def shed_from(module: ModuleType) -> None:
    """Shed what nothing reads at run time of what a module defines itself.

    Annotations of classes stay: configuration and arguments of operations are read by them."""
    module.__doc__ = None
    for kind in _classes_of(module):
        with suppress(AttributeError):
            kind.__doc__ = None
        _share_made_methods(kind)
        for function in _functions_of(kind):
            _shed_from_function(function)
    for one in vars(module).values():
        if isinstance(one, FunctionType) and one.__module__ == module.__name__:
            _shed_from_function(one)


def _classes_of(module: ModuleType) -> list[type]:
    return [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]


def _functions_of(kind: type) -> Iterator[FunctionType]:
    for one in vars(kind).values():
        if isinstance(one, FunctionType):
            yield one
        elif isinstance(one, staticmethod | classmethod) and isinstance(one.__func__, FunctionType):
            yield one.__func__
        elif isinstance(one, property):
            yield from (part for part in (one.fget, one.fset) if isinstance(part, FunctionType))


def _shed_from_function(function: FunctionType) -> None:
    """Of it and of those that it wraps."""
    wrapped: object = function
    while isinstance(wrapped, FunctionType):
        del wrapped.__annotations__
        code, text = wrapped.__code__, wrapped.__doc__
        wrapped.__doc__ = None
        # A docstring is the first constant; code that has the same text as a value uses that one too.
        if text is not None and code.co_consts[:1] == (text,) and not _uses_first_constant(code.co_code):
            wrapped.__code__ = code.replace(co_consts=(None, *code.co_consts[1:]))
        wrapped = getattr(wrapped, "__wrapped__", None)


def _uses_first_constant(instructions: bytes) -> bool:
    """Pairs of operation and argument (``dis``). One whose argument has a part before it only looks as if: no harm."""
    pairs = zip(instructions[0::2], instructions[1::2], strict=True)
    return any(argument == 0 and operation in _OF_CONSTANTS for operation, argument in pairs)


def _share_made_methods(kind: type) -> None:
    for name, shared in _SHARED.items():
        made = vars(kind).get(name)
        made = getattr(made, "__wrapped__", made)
        if isinstance(made, FunctionType) and made.__code__.co_filename == _MADE and dataclasses.is_dataclass(kind):
            setattr(kind, name, shared)


def _refuse_assignment(self: object, name: str, value: object) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_deletion(self: object, name: str) -> None:
    if _is_frozen(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_frozen(self: object, name: str) -> bool:
    """As ``dataclasses`` has it: a class that is derived by hand may have more of its own."""
    return "__dataclass_fields__" in vars(type(self)) or name in getattr(self, "__dataclass_fields__", ())


def _shown(self: object) -> str:
    fields = (one for one in dataclasses.fields(self) if one.repr)  # type: ignore[arg-type]
    return f"{type(self).__qualname__}({', '.join(f'{one.name}={getattr(self, one.name)!r}' for one in fields)})"


def _is_equal(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    values = _VALUES.get(type(self)) or _values_of(type(self))
    return values(self) == values(other)


def _hashed(self: object) -> int:
    return hash((_VALUES.get(type(self)) or _values_of(type(self)))(self))


#: By class, what gives the values of the fields by which it is compared: made when it is first compared.
_VALUES: dict[type, Callable[[object], tuple[Any, ...]]] = {}


def _values_of(kind: type) -> Callable[[object], tuple[Any, ...]]:
    names = [one.name for one in dataclasses.fields(kind) if one.compare]
    if len(names) > 1:
        _VALUES[kind] = attrgetter(*names)
    else:
        _VALUES[kind] = lambda value: tuple(getattr(value, name) for name in names)
    return _VALUES[kind]


_SHARED = {
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__repr__": _shown,
    "__eq__": _is_equal,
    "__hash__": _hashed,
}
