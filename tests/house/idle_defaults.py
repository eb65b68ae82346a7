"""What production always gives has no default that does nothing: a missing wire would not show. But for a short list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from house.source import Module, Source, functions

#: Parameters that may have such a default, by their file and their name, each with the callers that rely on it.
ALLOWED = {
    "agent/fs/dir_tree.py expect": "where a tree is compared, restored or read back, any directory at that place will do",
    "agent/generations/finding/finding.py look": "versions of one path in a mounted history: nobody can call that off",
    "agent/generations/mounting/chunk_cache.py send_for": "the vault is here: nothing need be sent for",
    "agent/node/following/checking/check_record.py answers_for": "a check of one generation answers for no other chunk",
    "agent/node/stepping/stepped.py ended": "a rehearsal changes no role: nobody keeps what became of its steps",
    "agent/operations/declaration.py allowed": "what may be asked from afar mostly may be so whatever its arguments are",
    "agent/steps/runner.py ended": "hooks around a generation: nobody keeps what became of the steps",
    "agent/store/catalog/catalog.py look": "an epoch that begins with nothing: what opens the dataset is not ended",
}
MOST_ALLOWED = 10


class IdleDefault(NamedTuple):
    """Where one stands."""

    path: str
    line: int
    parameter: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.parameter}"

    @property
    def key(self) -> str:
        """As the list has it."""
        return f"{self.path} {self.parameter}"


def idle_defaults(source: Source) -> Iterator[IdleDefault]:
    """Parameters and dataclass fields whose default is a function that does nothing or answers a constant. It stands in the same
    module, or is imported by its name from the module of the agent in which it stands."""
    own = {module.name: _idle_functions(module) for module in source.agent}
    for module in source.agent:
        idle = own[module.name] | _imported(module, own)
        for name, default in (*_parameters(module), *_fields(module)):
            if default is not None and _is_idle_default(default, idle):
                yield IdleDefault(str(module.path), default.lineno, name)


def mistakes(source: Source) -> list[str]:
    """One line for each that is not on the list, and for what is on it for nothing."""
    found = list(idle_defaults(source))
    lines = [
        f"{one}: a default that does nothing, and a missing wire would not show"
        for one in found
        if one.key not in ALLOWED
    ]
    keys = {one.key for one in found}
    lines += [f"{key} is allowed in house/idle_defaults.py, and is none" for key in ALLOWED if key not in keys]
    if len(ALLOWED) > MOST_ALLOWED:
        lines.append(f"{len(ALLOWED)} idle defaults are allowed, and at most {MOST_ALLOWED} may be")
    return lines


def _parameters(module: Module) -> Iterator[tuple[str, ast.expr | None]]:
    for function in functions(module):
        for parameter, default in _defaults(function.args):
            yield parameter.arg, default


def _fields(module: Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Those of every class: one that is no field of a dataclass has no function for its value."""
    for node in ast.walk(module.tree):
        for one in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                yield one.target.id, _default_of_field(one.value)


def _default_of_field(value: ast.expr | None) -> ast.expr | None:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "field":
        return next((one.value for one in value.keywords if one.arg == "default"), None)
    return value


def _idle_functions(module: Module) -> set[str]:
    return {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef) and _is_idle(node)}


def _imported(module: Module, own: dict[str, set[str]]) -> set[str]:
    """As the module calls them."""
    return {
        one.asname or one.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.name in own.get(node.module or "", ())
    }


def _is_idle_default(default: ast.expr, idle: set[str]) -> bool:
    if isinstance(default, ast.Lambda):
        return isinstance(default.body, ast.Constant | ast.Name | ast.Tuple)
    return isinstance(default, ast.Name) and default.id in idle


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    placed = [*arguments.posonlyargs, *arguments.args]
    yield from zip(placed[len(placed) - len(arguments.defaults) :], arguments.defaults, strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _is_idle(function: ast.FunctionDef) -> bool:
    body = [one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return all(
        isinstance(one, ast.Pass) or (isinstance(one, ast.Return) and isinstance(one.value, ast.Constant | None))
        for one in body
    )
