"""The source as text and syntax trees: what every check and figure looks at."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """One file: ``path`` relative to the checkout, ``text`` its source."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """Its dotted name; a package's for its ``__init__``."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The dotted name of the package that it stands in."""
        return ".".join(self.path.parts[:-1])


@dataclass(frozen=True)
class Source:
    """A checkout: the agent's modules, and those of its tests. Generated code is left out."""

    root: Path
    agent: tuple[Module, ...]
    tests: tuple[Module, ...]


def read_source(root: Path) -> Source:
    """What stands in a checkout now."""
    return Source(root, tuple(_modules(root, "agent")), tuple(_modules(root, "tests")))


def _modules(root: Path, top: str) -> Iterator[Module]:
    for folder, folders, files in os.walk(root / top):
        folders[:] = sorted(one for one in folders if one not in {"wire", "__pycache__", "lib"})
        for name in sorted(files):
            if name.endswith(".py"):
                path = Path(folder, name)
                yield Module(path.relative_to(root), path.read_text())


def public_definitions(module: Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Classes and functions at a module's top without a leading underscore."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def functions(module: Module) -> Iterator[ast.FunctionDef]:
    """Every function and method."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            yield node
