"""Is every problem's code taken from the registry, is every registered one used, and as severe as the registry says?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.core import problem_codes
from agent.core.problem import ProblemCode, Severity
from agent.core.problem_codes import PROBLEM_CODES
from house.source import Module, Source

REGISTRY = Path("agent/core/problem_codes")
#: Outside words of their own that become codes: verdicts on a lineage, and states of a dataset.
_WORDS_OF_THEIR_OWN = {Path("agent/stream/footing.py"), Path("agent/status/state.py")}


def mistakes(source: Source, codes: Mapping[str, ProblemCode] = PROBLEM_CODES) -> list[str]:
    """One line for each code that is written as text or is not used, and for each severity that the registry does not know."""
    names = _names(codes)
    modules = [module for module in source.agent if REGISTRY not in module.path.parents]
    used = {name for module in modules for name in _used(module)}
    lines = [line for module in modules for line in (*_as_text(module, codes), *_severities(module, names))]
    return lines + [
        f"{REGISTRY}: nothing has the code {code}" for name, code in names.items() if name not in used and code in codes
    ]


def _names(codes: Mapping[str, ProblemCode]) -> dict[str, ProblemCode]:
    """The codes by the names under which they are imported."""
    return {name: one for name, one in vars(problem_codes).items() if isinstance(one, ProblemCode) and one in codes}


def _used(module: Module) -> Iterator[str]:
    """Names that a module reads, and words of enums that become codes."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif module.path in _WORDS_OF_THEIR_OWN and isinstance(node, ast.Constant):
            yield str(node.value).upper().replace("-", "_")


def _as_text(module: Module, codes: Mapping[str, ProblemCode]) -> Iterator[str]:
    """A word without a hyphen may mean anything; one with a hyphen that is a code is meant as one."""
    if module.path in _WORDS_OF_THEIR_OWN:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "-" in node.value and node.value in codes:
            yield f"{module.path}:{node.lineno}: {node.value!r} is a problem's code: take it from {REGISTRY}"


def _severities(module: Module, names: Mapping[str, ProblemCode]) -> Iterator[str]:
    """A call that is given a code and a severity, whatever raises the problem in the end."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        code = next((names[arg.id] for arg in node.args if isinstance(arg, ast.Name) and arg.id in names), None)
        for severity in (_severity(arg) for arg in node.args):
            if code is not None and severity is not None and severity not in code.severities:
                yield f"{module.path}:{node.lineno}: {code} is never {severity}, says {REGISTRY}"


def _severity(argument: ast.expr) -> Severity | None:
    match argument:
        case ast.Attribute(ast.Name("Severity"), word):
            return Severity[word]
    return None
