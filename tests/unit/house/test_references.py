"""References to the documentation: what leads nowhere is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.references import mistakes
from house.source import Module, Source


def test_a_module_that_is_gone_is_found(tmp_path: Path) -> None:
    """From any package above it; files of the state directory are none."""
    source = _source(tmp_path, "")
    (tmp_path / "docs/architecture.md").write_text("`core.one`, `catalog.db`\n`core.two` and `one`\n")
    assert mistakes(source) == ["docs/architecture.md:2: there is no module core.two"]


def _source(root: Path, text: str) -> Source:
    (root / "docs/decisions").mkdir(parents=True)
    (root / "docs/design.md").write_text("# Design\n\n### Law 1: one\n\n### Law 9: nine\n")
    (root / "docs/decisions/0008-patches.md").write_text("")
    return Source(root, (Module(Path("agent/core/one.py"), text),), ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# law 1, and laws 1 and 9: docs/decisions/0008\n", []),
        ("\n# Law 3 asks it\n", ["agent/core/one.py:2: law 3 stands in no heading of docs/design.md"]),
        ("# laws 1 and 4\n", ["agent/core/one.py:1: law 4 stands in no heading of docs/design.md"]),
        ("# see decision 0099\n", ["agent/core/one.py:1: there is no decision 0099 in docs/decisions"]),
        (
            "# DESIGN says so\n",
            ["agent/core/one.py:1: cites a page that is not in the repository: say docs/design.md, or what is meant"],
        ),
    ],
)
def test_what_leads_nowhere_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    """A law or decision that is not there is a mistake, with file and line; what is there is none."""
    assert found == mistakes(_source(tmp_path, text))
