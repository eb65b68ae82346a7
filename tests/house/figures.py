"""How the house reads, in numbers. Each is of the whole source; none is a limit but where ``mistakes`` says so."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from house.idle_defaults import idle_defaults
from house.names import meanings
from house.source import Module, Source, functions

#: Files in a folder, at most.
MOST_FILES = 20


def figures(source: Source) -> dict[str, object]:
    """Every figure by its name, in the order in which they are told."""
    folders = files_by_folder(source)
    lengths = sorted(_length(one) for module in source.agent for one in functions(module))
    parameters = sorted(constructor_parameters(source).values())
    return {
        "modules": len(source.agent),
        "lines": sum(len(module.text.splitlines()) for module in source.agent),
        "function lines, median / p90 / longest": (
            int(median(lengths)),
            int(quantiles(lengths, n=10)[-1]),
            lengths[-1],
        ),
        "files over 500 lines": sum(len(module.text.splitlines()) > 500 for module in source.agent),
        "folders over 15 files": sum(count > 15 for count in folders.values()),
        "most files in a folder": max(folders.values()),
        "file names in several packages": len(shared_file_names(source)),
        "public names of several meanings": len(meanings(source)),
        "constructor parameters, p99 / most": (_p99(parameters), parameters[-1]),
        "defaults that do nothing": len(list(idle_defaults(source))),
        "patches in tests": patches(source)[0],
        "patches that shrink a constant": patches(source)[1],
        "modules without a test file of their name": len(untested(source)),
        "packages without tests of their own": len(list(untested_packages(source))),
        "tests that stand in no package's folder": len(list(homeless_tests(source))),
    }


def files_by_folder(source: Source) -> Counter[str]:
    """How many modules stand in each package, its ``__init__`` not counted."""
    return Counter(module.package for module in source.agent if module.path.name != "__init__.py")


def shared_file_names(source: Source) -> dict[str, list[str]]:
    """File names that stand in two packages or more."""
    where: dict[str, list[str]] = defaultdict(list)
    for module in source.agent:
        if not module.path.name.startswith("__"):
            where[module.path.name].append(module.package)
    return {name: packages for name, packages in where.items() if len(packages) > 1}


def constructor_parameters(source: Source) -> dict[str, int]:
    """For each class with an ``__init__`` of its own, how many parameters it takes besides ``self``."""
    return {
        f"{module.name}.{node.name}": len(_parameters(made)) - 1
        for module in source.agent
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for made in node.body
        if isinstance(made, ast.FunctionDef) and made.name == "__init__"
    }


def patches(source: Source) -> tuple[int, int]:
    """How often tests put something else in place of what is there, and how often of a constant."""
    every = constants = 0
    for module in source.tests:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
                every += 1
                named = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                constants += any(name.rpartition(".")[2].strip("_").isupper() for name in named)
    return every, constants


def untested(source: Source) -> list[str]:
    """Modules for which no test file has their name, in a folder of theirs or of a package above."""
    files = {(module.path.name, part) for module in source.tests for part in module.path.parts[1:-1]}
    return [
        module.name
        for module in source.agent
        if not module.path.name.startswith("__")
        and not any((f"test_{module.path.name}", part) in files for part in module.path.parts[1:-1])
    ]


def untested_packages(source: Source) -> Iterator[str]:
    """Packages of the agent that have no folder of unit tests; what stands in a package inside another may be tested in that."""
    tested = {module.path.parts[2] for module in _unit_tests(source)}
    packages = {module.path.parts[1] for module in source.agent if len(module.path.parts) > 2}
    yield from (f"agent.{package}" for package in sorted(packages - tested))


def homeless_tests(source: Source) -> Iterator[Path]:
    """Unit tests in a folder that is neither a package of the agent nor one of what tests use."""
    packages = {module.path.parts[1:-1] for module in source.agent}
    used = {module.path.parts[1:-1] for module in source.tests}
    for module in _unit_tests(source):
        if module.path.parts[2:-1] not in packages | used:
            yield module.path


def _unit_tests(source: Source) -> Iterator[Module]:
    for module in source.tests:
        if module.path.parts[:2] == ("tests", "unit") and module.path.name.startswith("test_"):
            yield module


def mistakes(source: Source) -> list[str]:
    """Where the house is fuller than it may be, and where tests do not stand as the source does."""
    full = [
        f"{folder}: {count} files, and at most {MOST_FILES} may stand in one folder"
        for folder, count in files_by_folder(source).items()
        if count > MOST_FILES
    ]
    bare = [f"{package}: it has no folder of unit tests" for package in untested_packages(source)]
    return [*full, *bare, *(f"{path}: no package is called as its folder is" for path in homeless_tests(source))]


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _length(function: ast.FunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _p99(values: list[int]) -> int:
    return values[min(len(values) - 1, int(len(values) * 0.99))]
