"""The page of ``hikae status``: a head, one table, and below each dataset that needs it what is so and what to type."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len
from rich.text import Text

from agent.status.figures import clock_text, size_text
from agent.status.page.cells import COLUMNS, rows_of
from agent.status.page.layout import columns_that_fit, padded, shortened, wrapped
from agent.status.page.notices import Notice, node_notices, notices_of
from agent.status.published import Json
from agent.status.sentences import sorted_datasets
from agent.status.state import Grade, State, grade_of
from agent.status.text import shown

#: So many notices of a dataset are shown; `hikae status DATASET` has them all.
_SHOWN = 3
_STATE = next(at for at, column in enumerate(COLUMNS) if column.title == "STATE")
_STYLES = {Grade.GOOD: "green", Grade.WATCH: "yellow", Grade.BAD: "bold red"}


def status_page(status: Json, width: int) -> Text:
    """The page in lines of at most ``width`` cells, with styles that a terminal shows as colour. Nothing in it can move a
    cursor."""
    lines = [head(status, width), *_paragraphs(node_notices(status), status["node"], width, "")]
    datasets = sorted_datasets(status)
    if not datasets:
        lines += [Text(line) for line in wrapped(_NONE, width, "")]
    else:
        lines += _table(status, datasets, width)
    return Text("\n").join([*lines, *_foot(status, width)])


_NONE = "no datasets: add [[dataset]] to the configuration, then: hikae reload"


def head(status: Json, width: int) -> Text:
    """Node and release to the left, the clock to the right."""
    clock = f"{datetime.fromisoformat(status['clock']).astimezone():%a %H:%M:%S}"
    name = shortened(f"{shown(status['node'])}  hikae {shown(status['version'])}", max(width - len(clock) - 2, 1))
    return Text.assemble((name, "bold"), " " * (width - cell_len(name) - len(clock)), clock)


def _table(status: Json, datasets: list[Json], width: int) -> list[Text]:
    rows = {dataset["name"]: rows_of(status, dataset) for dataset in datasets}
    places, widths = columns_that_fit(COLUMNS, [row for of_one in rows.values() for row in of_one], width)
    lines = [_line([column.title for column in COLUMNS], places, widths, "")]
    for dataset in datasets:
        lines += [_line(row, places, widths, _state_style(row)) for row in rows[dataset["name"]]]
        notices = notices_of(status, dataset)
        lines += _paragraphs(notices[:_SHOWN], status["node"], width, "  ")
        if len(notices) > _SHOWN:
            more = f"And {len(notices) - _SHOWN:,} more:  hikae status {shown(dataset['name'])}"
            lines += [Text(line) for line in wrapped(more, width)]
    return lines


def _line(row: list[str] | tuple[str, ...], places: list[int], widths: list[int], style: str) -> Text:
    line = Text()
    for place, width in zip(places, widths, strict=True):
        line.append("  " if line.plain else "")
        line.append(padded(row[place], width, right=COLUMNS[place].right), _style(place, style))
    line.rstrip()
    return line


def _state_style(row: tuple[str, ...]) -> str:
    """A row that bears no state is not coloured by one."""
    word = row[_STATE].lower()
    return _STYLES[grade_of(State(word))] if word else "default"


def _style(place: int, style: str) -> str | None:
    if not style:
        return "dim"
    return {"DATASET": "bold", "STATE": style}.get(COLUMNS[place].title)


def _paragraphs(notices: list[Notice], node: str, width: int, indent: str) -> list[Text]:
    """Each notice: the sentence, then the remedy on lines of its own."""
    lines = []
    for notice in notices:
        if notice.sentence:
            lines += [Text(line) for line in wrapped(shown(sentence_of(notice)), width, indent)]
        lines += [
            Text(line, "bold") for line in wrapped(shown(remedy_of(notice, node)), width, indent) if notice.remedy
        ]
    return lines


def sentence_of(notice: Notice) -> str:
    """The sentence with a full stop, beginning with a capital where that is no name."""
    return notice.sentence if notice.sentence.endswith((".", "?", "!")) else f"{notice.sentence}."


def remedy_of(notice: Notice, node: str) -> str:
    """What to do, with the node to do it on in front, ``node`` where none is named: ``On beta:  hikae resume web``,
    ``If it was, on beta:  …``."""
    on = notice.on or node
    return f"{notice.when}, on {on}:  {notice.remedy}" if notice.when else f"On {on}:  {notice.remedy}"


def _foot(status: Json, width: int) -> list[Text]:
    """Of this node: the disk that has the least room above its reserve, and when what must be renewed ends."""
    fullest = sorted(status["disks"], key=lambda one: one["free"] - one["reserve"])[:1]
    parts = [_disk(disk, status["clock"]) for disk in fullest]
    for what, key in (("certificate", "certificate"), ("revocation list", "crl")):
        if status[key]["until"]:
            parts.append(f"{what} until {datetime.fromisoformat(status[key]['until']).astimezone():%Y-%m-%d}")
    text = f"{shown(status['node'])}'s own: {'; '.join(parts)}"
    return [Text(line, "dim") for line in wrapped(text, width, "")] if parts else []


def _disk(disk: Json, clock: str) -> str:
    full = f", down to its reserve about {clock_text(disk['full_at'], clock)} at this rate" if disk["full_at"] else ""
    return f"{disk['path']}: {size_text(disk['free'])} free of {size_text(disk['total'])}{full}"
