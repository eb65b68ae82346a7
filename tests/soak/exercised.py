"""What code a part of `make soak` exercises: all that its tests import or name, and what that imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Who reaches this module starts whole agents: commands and what they need are imported by their names.
_WHOLE = "agent/cli/main.py"
_ALL = frozenset({"agent", "protos"})
#: Modules that stand in texts: programs that tests start, names that are imported late.
_NAMED = re.compile(r"\b(?:agent|fakes|tests\.fakes|soak)(?:\.\w+)+")


def exercised(repository: Path, tests: Iterable[str]) -> frozenset[str]:
    """Paths below ``repository``: files of ``agent``, or all of it where whole agents run or it cannot be told. ``tests``: the
    arguments of pytest."""
    waiting = [file for word in tests for file in _files(repository / word.partition("::")[0])]
    seen = set(waiting)
    while waiting:
        for file in _imports(repository, waiting.pop()):
            if file not in seen:
                seen.add(file)
                waiting.append(file)
    found = {str(file.relative_to(repository)) for file in seen}
    code = frozenset(path for path in found if path.startswith("agent/"))
    return _ALL if _WHOLE in code or not code else code


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from path.rglob("*.py")
    elif path.suffix == ".py":
        yield path


def _imports(repository: Path, file: Path) -> Iterator[Path]:
    text = file.read_text()
    names = set(_NAMED.findall(text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{one.name}" for one in node.names)
    for name in names:
        yield from _modules(repository, name)


def _modules(repository: Path, name: str) -> Iterator[Path]:
    """The files that importing a name runs: of the module, and of each package around it."""
    words = name.removeprefix("tests.").split(".")
    base = repository if words[0] == "agent" else repository / "tests"
    for count in range(1, len(words) + 1):
        place = base.joinpath(*words[:count])
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                yield file
