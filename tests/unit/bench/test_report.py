"""Tables and bench.json."""

from __future__ import annotations

import json

import pytest

from bench.figures import Row, Spec, Unit
from bench.report import as_json, as_markdown, as_text, figure, markers, spliced

_COPY = Row(Spec("copy", "copying | much", "rsync", limit=0.9, aim=0.8), 1.5, 2.0, 0.75, True)
_RATE = Row(Spec("rate", "sending", "bare", Unit.RATE, limit=0.5, better="higher"), 1 << 20, 4 << 20, 0.25, False)
_MEMORY = Row(Spec("memory", "holding", "", Unit.BYTES, limit=2.0 * (1 << 20), of="ours"), 1 << 20, None, None, True)
_MISSING = Row(Spec("lag", "waiting", "lsyncd"), reason="lsyncd is not installed")
_ROWS = (_COPY, _RATE, _MEMORY, _MISSING)


def test_json_has_the_public_fields_of_every_row() -> None:
    """Other programs read these; what is missing is null and says why."""
    public = ("name", "ours", "peer", "peer_name", "ratio", "limit", "aim", "holds")
    found = [[row[key] for key in public] for row in json.loads(as_json(_ROWS))]
    assert [
        ["copy", 1.5, 2.0, "rsync", 0.75, 0.9, 0.8, True],
        ["rate", 1 << 20, 4 << 20, "bare", 0.25, 0.5, None, False],
        ["memory", 1 << 20, None, None, None, 2.0 * (1 << 20), None, True],
        ["lag", None, None, "lsyncd", None, None, None, None],
    ] == found
    assert "lsyncd is not installed" == json.loads(as_json([_MISSING]))[0]["reason"]


def test_the_terminal_shows_a_row_a_line_and_reasons_below() -> None:
    """Columns stand below each other; a limit says on which side of it is good."""
    lines = as_text(_ROWS).splitlines()
    assert 1 + len(_ROWS) + 1 == len(lines)
    at = lines[0].index("ratio")
    assert ["0.75", "0.25", "–", "–"] == [line[at:].split()[0] for line in lines[1:5]]
    assert "lag: lsyncd is not installed" == lines[-1]
    assert "≥ 0.50" in lines[2]
    assert lines[2].endswith("NO")


def test_markdown_escapes_what_would_break_a_table() -> None:
    """A bar in words is no column."""
    text = as_markdown(_ROWS, ["2 cores"])
    row = next(line for line in text.splitlines() if line.startswith("| copy"))
    assert "copying \\| much" in row
    assert 9 == row.replace("\\|", "").count("|") - 1
    assert text.startswith("- 2 cores\n\n| row |")
    assert text.endswith("- `lag` was not measured: lsyncd is not installed\n")


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    """Words round the generated parts are kept, and so is another part."""
    begin, end = markers("full")
    other = "\n".join(markers("quick"))
    page = f"above\n{begin}\nold\n{end}\nbelow\n{other}\n"
    assert f"above\n{begin}\nnew\n{end}\nbelow\n{other}\n" == spliced(page, "full", "new\n")
    assert page == spliced(spliced(page, "full", "new\n"), "full", "old\n")


@pytest.mark.parametrize("order", [(0,), (1,), (1, 0), (0, 1, 0, 1)])
def test_a_page_without_its_markers_is_refused(order: tuple[int, ...]) -> None:
    """A page that somebody broke is not made worse."""
    with pytest.raises(ValueError, match="each once"):
        spliced("\n".join(markers("full")[one] for one in order), "full", "new")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, Unit.SECONDS, "–"),
        (0.0123, Unit.SECONDS, "12.3 ms"),
        (-0.002, Unit.SECONDS, "-2.0 ms"),
        (12.0, Unit.SECONDS, "12.00 s"),
        (5 << 30, Unit.BYTES, "5,120.0 MiB"),
        (5 << 20, Unit.RATE, "5.0 MiB/s"),
        (7.0, Unit.CORE, "7.0 %"),
    ],
)
def test_figures_are_shown_in_the_unit_that_people_think_in(value: float | None, unit: Unit, words: str) -> None:
    """Milliseconds below a second, MiB for bytes, percent for a part of a core."""
    assert words == figure(value, unit)
