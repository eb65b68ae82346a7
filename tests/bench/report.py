"""The table on the terminal, in the documentation, and ``bench.json``. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bench.figures import Row, Unit
from bench.sizes import MIB

_HEADS = ("row", "work", "beside", "hikae", "peer", "ratio", "limit", "aim", "holds")


def as_json(rows: Sequence[Row]) -> str:
    """``bench.json``: an array, one object a row; seconds, bytes, bytes a second and percent of a core as numbers."""
    return json.dumps([_object(row) for row in rows], indent=2, ensure_ascii=False) + "\n"


def as_text(rows: Sequence[Row]) -> str:
    """The table for a terminal; why a row is missing stands below it."""
    lines = [(_HEADS[0], *_HEADS[2:]), *((row.spec.name, *_cells(row)[2:]) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*table, *(f"{row.spec.name}: {row.reason}" for row in rows if row.reason)]) + "\n"


def as_markdown(rows: Sequence[Row], surroundings: Sequence[str]) -> str:
    """The table for the documentation, what it was measured with above it, what is missing below it."""
    table = [_line(_HEADS), _line(["---"] * len(_HEADS)), *(_line(_cells(row)) for row in rows)]
    missing = [f"- `{row.spec.name}` was not measured: {_escaped(row.reason)}" for row in rows if row.reason]
    parts = [[f"- {_escaped(words)}" for words in surroundings], table, missing]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def spliced(page: str, name: str, text: str) -> str:
    """``page`` with what stands between the markers of ``name`` replaced. Raises ``ValueError`` unless both stand there once."""
    begin, end = markers(name)
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page must have {begin} and, after it, {end}, each once")
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}{end}{rest.split(end)[1]}"


def markers(name: str) -> tuple[str, str]:
    """What stands before and after a generated part."""
    return f"<!-- {name}: written by make bench -->", f"<!-- {name} ends -->"


def figure(value: float | None, unit: Unit) -> str:
    """A figure as people read it; "–" for none."""
    if value is None:
        return "–"
    if unit is Unit.SECONDS:
        return f"{value * 1000:.1f} ms" if abs(value) < 1 else f"{value:.2f} s"
    if unit is Unit.CORE:
        return f"{value:.1f} %"
    return f"{value / MIB:,.1f} MiB" + ("/s" if unit is Unit.RATE else "")


def _cells(row: Row) -> tuple[str, ...]:
    spec = row.spec
    verdict = {None: "–", True: "yes", False: "NO"}[row.holds]
    figures = (figure(row.ours, spec.unit), figure(row.peer, spec.unit), _plain(row.ratio))
    return (
        spec.name,
        spec.work,
        spec.peer_name or "–",
        *figures,
        _bound(row, spec.limit),
        _bound(row, spec.aim),
        verdict,
    )


def _bound(row: Row, value: float | None) -> str:
    if value is None:
        return "–"
    words = _plain(value) if row.spec.of == "ratio" else figure(value, row.spec.unit)
    return f"{'≤' if row.spec.better == 'lower' else '≥'} {words}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _object(row: Row) -> dict[str, Any]:  # Any: JSON
    spec = row.spec
    return {
        "name": spec.name,
        "ours": row.ours,
        "peer": row.peer,
        "peer_name": spec.peer_name or None,
        "ratio": row.ratio,
        "limit": spec.limit,
        "aim": spec.aim,
        "holds": row.holds,
        "work": spec.work,
        "unit": spec.unit.value,
        "better": spec.better,
        "limit_of": spec.of,
        "reason": row.reason or None,
    }
