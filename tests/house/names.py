"""One public name, one meaning: classes and functions of the same name in two modules, but for a short list."""

from __future__ import annotations

from collections import defaultdict

from house.source import Source, public_definitions

#: Names that may stand in several modules, each with its reason. At most ten.
ALLOWED = {
    "init": "the command and what it does",
    "issue": "the command and what it does",
    "renew": "the command and what it does",
    "revoke": "the command and what it does",
    "show": "the commands and what they do",
    "check": "two commands: of the configuration, of the state",
}
MOST_ALLOWED = 10


def meanings(source: Source) -> dict[str, list[str]]:
    """Public names that are defined in more than one module, with these modules."""
    where: dict[str, list[str]] = defaultdict(list)
    for module in source.agent:
        for node in public_definitions(module):
            where[node.name].append(module.name)
    return {name: modules for name, modules in sorted(where.items()) if len(modules) > 1}


def mistakes(source: Source) -> list[str]:
    """One line for each name of several meanings that is not on the list, and for what is on it for nothing."""
    found = meanings(source)
    lines = [f"{name}: {', '.join(modules)}" for name, modules in found.items() if name not in ALLOWED]
    lines += [f"{name} is allowed in house/names.py, and has one meaning" for name in ALLOWED if name not in found]
    if len(ALLOWED) > MOST_ALLOWED:
        lines.append(f"{len(ALLOWED)} names are allowed, and at most {MOST_ALLOWED} may be")
    return lines
