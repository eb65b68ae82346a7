"""Functions drawn by a seed, as bare text: can a reader who has only the list of files say where each stands?"""

from __future__ import annotations

import ast
import random
import textwrap

from house.source import Source, functions

LEAST_LINES = 4


def draw(source: Source, seed: int, count: int = 30) -> list[tuple[str, str]]:
    """``count`` functions of at least four lines, each as ``(its file, its text)``; the same for the same seed and source."""
    every = [
        (str(module.path), _text(module.text, function))
        for module in source.agent
        for function in functions(module)
        if (function.end_lineno or 0) - function.lineno + 1 >= LEAST_LINES
    ]
    return random.Random(seed).sample(every, count)


def _text(text: str, function: ast.FunctionDef) -> str:
    lines = text.splitlines()[function.lineno - 1 : function.end_lineno]
    return textwrap.dedent("\n".join(lines))
