"""Pages of the documentation that are made from the source, so that they cannot say otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from agent.config.keys import Declared, as_written, keys_of
from agent.config.schema import SHARED_KEYS, TABLES
from agent.config.show import toml
from agent.core.problem import ProblemCode
from agent.core.problem_codes import PROBLEM_CODES
from house import json_example, roles_table
from house.manual import manual

_HEAD = """# Configuration keys

Made from the source by `make pages`. `live`: `hikae reload` takes it over while everything runs on. `reopened`: `hikae reload`
closes that dataset and opens it anew with it; the others run on. All other keys wait for a restart, and with one of them whatever
else would open the same dataset anew. Whole `[[dataset]]` and `[[peer]]` tables come and go by `hikae reload`. `same`: it must
be the same on all nodes, which compare it (`config-differs`); all others are each node's own. `not yet`: it is checked, and this
version does not act on it.
"""

_PROBLEMS = """# Problems

Made from the source by `make pages`. What is wrong while the agent goes on stands in `hikae status`, with what to type; its code
never changes, so that other programs can rely on it. It ends by itself once its cause is gone. A problem's own words say more
than this page: which path, which peer, and the names to type.

| code | on | severity | what it means | what leads out of it |
|---|---|---|---|---|"""


def configuration() -> str:
    """``docs/configuration.md``."""
    return "\n".join([_HEAD, *(line for name in TABLES for line in _table(name))])


def problems() -> str:
    """``docs/problems.md``."""
    rows = [
        f"| `{code}` | {code.where} | {_severity(code)} | {code.means} | {code.remedy} |"
        for code in PROBLEM_CODES.values()
    ]
    return "\n".join([_PROBLEMS, *rows, ""])


def _severity(code: ProblemCode) -> str:
    return " or ".join(severity.value for severity in code.severities)


def pages() -> dict[str, str]:
    """Every page that is made, by its path."""
    return {
        "docs/configuration.md": configuration(),
        "docs/problems.md": problems(),
        "docs/json.md": json_example.page(),
        "docs/roles-table.md": roles_table.page(),
        **manual(),
    }


def make(root: Path) -> None:
    """Write them; a manual page of a command that is gone goes."""
    made = pages()
    for path in _manual_pages(root) - made.keys():
        (root / path).unlink()
    for path, page in made.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(page)


def mistakes(root: Path) -> list[str]:
    """One line for each page that is not what the source makes of it."""
    made = pages()
    wrong = [path for path, page in made.items() if not (root / path).is_file() or (root / path).read_text() != page]
    return [
        f"{path} is not what the source says; make it anew: make pages"
        for path in (*wrong, *sorted(_manual_pages(root) - made.keys()))
    ]


def _manual_pages(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in (root / "docs/man").glob("*.1")}


def _table(name: str) -> Iterator[str]:
    table = TABLES[name]
    yield f"## {f'[[{name}]]' if name in ('peer', 'dataset') else f'[{name}]'}\n"
    yield "| key | example | default | | meaning |\n|---|---|---|---|---|"
    for declared in keys_of(table.shape):
        remarks = ", ".join(_remarks(name, declared))
        cells = (f"`{declared.name}`", f"`{declared.key.example}`", _default(declared), remarks, declared.key.means)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _remarks(table: str, declared: Declared) -> Iterator[str]:
    if table == "dataset" and declared.name in SHARED_KEYS:
        yield "same"
    if declared.key.live:
        yield "live"
    if declared.key.reopens:
        yield "reopened"
    if not declared.key.acts:
        yield "not yet"


def _default(declared: Declared) -> str:
    if declared.default is dataclasses.MISSING:
        return "required"
    written = as_written(declared.default, declared.hint)
    if written is None or isinstance(written, dict) or written == ():
        return ""
    return f"`{toml(written)}`"
