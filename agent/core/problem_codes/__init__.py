"""Every code that a problem can have: its word, how much it matters, what it means, and what leads out of it.

The words are public and never change. A problem says more than its code does: which path or peer, and what to type there.
Each code stands in the file of those who raise it, and is imported from here, so that it may move. ``docs/problems.md`` is made
from this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.core.problem import ProblemCode
from agent.core.problem_codes import apply, calls, capture, dataset, generations, node, roles

# The names of all families, so that none is written twice.
# ruff: noqa: F403
from agent.core.problem_codes.apply import *
from agent.core.problem_codes.calls import *
from agent.core.problem_codes.capture import *
from agent.core.problem_codes.dataset import *
from agent.core.problem_codes.generations import *
from agent.core.problem_codes.node import *
from agent.core.problem_codes.roles import *

_FAMILIES = (node, dataset, capture, apply, calls, roles, generations)

#: All of them by their words, in the order in which the families declare them.
PROBLEM_CODES: Mapping[str, ProblemCode] = MappingProxyType(
    {str(code): code for family in _FAMILIES for code in vars(family).values() if isinstance(code, ProblemCode)}
)
