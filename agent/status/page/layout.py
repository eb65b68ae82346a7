"""How does text keep to a width? No line is broken inside a word: what is too long is shortened in its middle.

Widths are cells of a terminal: a wide character takes two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from agent.status.text import shown

#: Stands for what was left out of a name.
CUT = "…"
#: A number stays with its unit.
_GLUED = re.compile(r"(\d) (%|(?:bytes|[KMGTP]iB|[kMG]?B/s|ms|s|min|h|days?)\b)")
#: A command stands on one line: ``hikae resync web --standby``, ``hikae generations expire DATASET --dry-run``. A name belongs
#: to it where something shows that the command goes on or ends behind it.
_TYPED = re.compile(r"hikae [a-z]+(?: [\w./-]+(?= --|[;,:)]| \(|$))?(?: (?:--[a-z-]+|[A-Z]{2,}|\d{8}T\d{6}Z[-\d]*))*")
#: A name is not shortened further than this.
_LEAST = 6


@dataclass(frozen=True, slots=True)
class Column:
    """``title``; ``drop``: the order in which columns go where the width does not do (0 never goes); ``shrinks``: a name that may
    be shortened; ``right``: aligned to its right edge."""

    title: str
    drop: int = 0
    shrinks: bool = False
    right: bool = False


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """The text in lines of at most ``width``, each with the indent; two spaces in the text stay together with what follows."""
    room = max(width - cell_len(indent), _LEAST)
    lines: list[str] = []
    for word in _TYPED.sub(lambda typed: _together(typed[0], room), _GLUED.sub("\\1\u00a0\\2", text)).split(" "):
        fitting = shortened(word, room).replace("\u00a0", " ")
        if lines and cell_len(lines[-1]) + 1 + cell_len(fitting) <= room:
            lines[-1] = f"{lines[-1]} {fitting}"
        else:
            lines.append(fitting)
    return [f"{indent}{line}".rstrip() for line in lines]


def cut_page(page: Text, width: int, height: int, command: str) -> Text:
    """The page in at most ``height`` lines, so that a terminal can show it in place: the last says how many more there are, and
    the ``command`` that shows them all."""
    lines = page.split("\n")
    if len(lines) <= height:
        return page
    kept = max(height - 1, 0)
    more = shortened(f"{CUT} {len(lines) - kept:,} more lines: {shown(command)} | less", width)
    return Text("\n").join([*lines[:kept], Text(more, "dim")])


def _together(typed: str, room: int) -> str:
    """A command without a place to break it, where a line has room for it."""
    return typed.replace(" ", "\u00a0") if cell_len(typed) <= room else typed


def shortened(text: str, width: int) -> str:
    """The text, or its two ends around ``…`` where it is wider."""
    if cell_len(text) <= width:
        return text
    head = (width - 1) // 2
    tail = width - 1 - head
    return f"{set_cell_size(text, head).rstrip()}{CUT}{_last_cells(text, tail)}"


def columns_that_fit(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[int], list[int]]:
    """Which columns stay, by place, and how wide each of these is. Names shrink before a column goes."""
    places = [at for at, column in enumerate(columns) if column.title.strip() and any(row[at] for row in rows)]
    while True:
        widths = [max(cell_len(columns[at].title), *(cell_len(row[at]) for row in rows)) for at in places]
        over = sum(widths) + 2 * (len(widths) - 1) - width
        if over <= 0 or _shrink(columns, places, widths, over):
            return places, widths
        leaving = max(places, key=lambda at: columns[at].drop)
        if columns[leaving].drop == 0:
            return places, widths
        places.remove(leaving)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly so many cells."""
    fitting = shortened(text, width)
    space = " " * (width - cell_len(fitting))
    return space + fitting if right else fitting + space


def _shrink(columns: Sequence[Column], places: Sequence[int], widths: list[int], over: int) -> bool:
    """Takes from the widest name first, in place; whether that was enough. Nothing is changed where it is not."""
    tried = list(widths)
    for _ in range(over):
        names = [
            at
            for at, place in enumerate(places)
            if columns[place].shrinks and tried[at] > max(_LEAST, cell_len(columns[place].title))
        ]
        if not names:
            return False
        tried[max(names, key=lambda at: tried[at])] -= 1
    widths[:] = tried
    return True


def _last_cells(text: str, width: int) -> str:
    kept = ""
    for char in reversed(text):
        if cell_len(kept) + cell_len(char) > width:
            break
        kept = char + kept
    return kept
