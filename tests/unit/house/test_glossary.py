"""Words of the glossary in the README."""

from __future__ import annotations

from pathlib import Path

from house.glossary import mistakes, words_of

_ROWS = ("vault | chunks", "primary, secondary | nodes", "to settle | x")
DESIGN = "\n".join(
    ["# Design", "", "## Words", "", "| word | meaning |", "|---|---|", *(f"| {row} |" for row in _ROWS), ""]
)


def test_the_words() -> None:
    """Each of a row by itself; the head is none."""
    assert words_of(DESIGN) == ["vault", "primary", "secondary", "settle"]


def test_a_word_is_explained_where_it_first_stands(tmp_path: Path) -> None:
    """In italics or bold; what stands in code explains nothing and asks for nothing."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/design.md").write_text(DESIGN)
    (tmp_path / "README.md").write_text(
        "`vault`\n```\nprimary\n```\nthe **primary**, and\nwhat settles: a vault, a *vault*\n"
    )
    assert mistakes(tmp_path) == [
        "README.md:6: 'vault' is a word of the glossary: explain it here, in italics, or say it in other words",
        "README.md:6: 'settle' is a word of the glossary: explain it here, in italics, or say it in other words",
    ]
