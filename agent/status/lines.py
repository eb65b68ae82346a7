"""``hikae status`` for people: one dataset a line, worst first."""

from __future__ import annotations

from rich.text import Text

from agent.status.published import Json
from agent.status.sentences import detail, position, problem_text, sorted_datasets, way
from agent.status.state import Grade, State, grade_of
from agent.status.text import shown

_STYLES = {Grade.GOOD: "green", Grade.WATCH: "yellow", Grade.BAD: "bold red"}
_GAP = "   "


def status_lines(status: Json) -> Text:
    """The lines, with styles that a terminal shows as colour. Nothing in them can move a cursor."""
    rows = [_dataset_row(status, dataset) for dataset in sorted_datasets(status)]
    widths = [max((len(row[column][0]) for row in rows), default=0) for column in range(3)]
    lines = [_line(row, widths) for row in rows]
    trouble = problem_text(status)
    if trouble:
        lines.insert(0, Text.assemble((f"node {shown(status['node'])}", "bold"), _GAP, (shown(trouble), "red")))
    if not rows:
        lines.append(Text("no datasets: add [[dataset]] to the configuration, then restart the agent"))
    return Text("\n").join(lines)


def _dataset_row(status: Json, dataset: Json) -> list[tuple[str, str]]:
    state = State(dataset["state"])
    grade = grade_of(state)
    word = state.value.upper() if grade is Grade.BAD else state.value
    return [
        (shown(dataset["name"]), "bold"),
        (shown(way(status, dataset)), ""),
        (word, _STYLES[grade]),
        (shown(_tail(status, dataset, grade)), ""),
    ]


def _tail(status: Json, dataset: Json, grade: Grade) -> str:
    words = detail(status, dataset)
    if grade is Grade.BAD:
        return words
    return _GAP.join(part for part in (words, position(dataset)) if part)


def _line(row: list[tuple[str, str]], widths: list[int]) -> Text:
    line = Text()
    for (text, style), width in zip(row[:3], widths, strict=True):
        line.append(text, style or None)
        line.append(" " * (width - len(text)) + _GAP)
    line.append(row[3][0], row[3][1] or None)
    return line
