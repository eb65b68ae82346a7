"""Is every word of the glossary that the README uses explained where it first stands? There it is in italics or bold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

#: Words of the glossary that a reader knows from elsewhere, in the meaning that they have there.
EVERYDAY = frozenset(
    {"word", "name", "names", "object", "run", "call", "entry", "row", "output", "print", "patch", "piece"}
)
_ROW = re.compile(r"^\| ([a-z][^|]*?) \| ", re.MULTILINE)
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def mistakes(root: Path) -> list[str]:
    """One line for each word that stands in the README before it is explained."""
    design = (root / "docs/design.md").read_text()
    page = _CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), (root / "README.md").read_text())
    return [line for word in words_of(design) for line in _unexplained(word, page)]


def words_of(design: str) -> list[str]:
    """The words of the table of ``docs/design.md`` that a reader cannot know."""
    cells = _ROW.findall(design[design.index("## Words") :])
    words = (word.strip().removeprefix("to ") for cell in cells for word in cell.split(","))
    return [word for word in words if word not in EVERYDAY]


def _unexplained(word: str, page: str) -> Iterator[str]:
    found = re.search(rf"\b{re.escape(word)}(?:s|es)?\b", page)
    if found is not None and page[: found.start()].rstrip("*_") == page[: found.start()]:
        line = page.count("\n", 0, found.start()) + 1
        yield f"README.md:{line}: {word!r} is a word of the glossary: explain it here, in italics, or say it in other words"
