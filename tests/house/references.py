"""Does every ``law N`` and every decision that the source cites stand in the documentation, and every module that the
architecture names in the source?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from house.source import Module, Source

#: ``law 5``, ``laws 2 and 9``, ``law 9's``.
_LAWS = re.compile(r"\b[Ll]aws? (\d+)(?:(?:, | and )(\d+))*")
_NUMBER = re.compile(r"\d+")
_HEADING = re.compile(r"^### Law (\d+):", re.MULTILINE)
_DECISION = re.compile(r"\b(?:docs/decisions/|decisions? )(\d{4})\b")
#: The page of the design that is not in the repository.
_FOREIGN = re.compile(r"\bDESIGN\b|\bof DESIGN|\bsections? \d")


#: The page that names modules, and how it does: ``capture.pump``, from any package above it.
_ARCHITECTURE = "docs/architecture.md"
_MODULE = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")
#: What looks alike and is a file.
_FILES = (".db", ".json", ".jsonl", ".known", ".pem", ".toml", ".md")


def mistakes(source: Source) -> list[str]:
    """One line for each reference that leads nowhere."""
    return [*_unknown_modules(source), *_unknown_pages(source)]


def _unknown_modules(source: Source) -> list[str]:
    """Of the architecture's page: modules that are not, or not there any more."""
    page = source.root / _ARCHITECTURE
    known = {".".join(module.path.with_suffix("").parts) + "." for module in source.agent}
    lines = page.read_text().splitlines() if page.exists() else []
    return [
        f"{_ARCHITECTURE}:{at}: there is no module {name}"
        for at, line in enumerate(lines, 1)
        for name in _MODULE.findall(line)
        if not name.endswith(_FILES) and not any(f".{name}." in module for module in known)
    ]


def _unknown_pages(source: Source) -> list[str]:
    laws = set(_HEADING.findall((source.root / "docs/design.md").read_text()))
    decisions = {page.name[:4] for page in (source.root / "docs/decisions").glob("*.md")}
    return [
        f"{module.path}:{line}: {what}"
        for module in (*source.agent, *source.tests)
        for line, what in _of_module(module, laws, decisions)
    ]


def _of_module(module: Module, laws: set[str], decisions: set[str]) -> Iterator[tuple[int, str]]:
    if "house" in module.path.parts:
        return
    for at, text in enumerate(module.text.splitlines(), 1):
        cited = {number for found in _LAWS.finditer(text) for number in _NUMBER.findall(found.group())}
        yield from ((at, f"law {number} stands in no heading of docs/design.md") for number in sorted(cited - laws))
        pages = set(_DECISION.findall(text))
        yield from ((at, f"there is no decision {page} in docs/decisions") for page in sorted(pages - decisions))
        if _FOREIGN.search(text):
            yield at, "cites a page that is not in the repository: say docs/design.md, or what is meant"
