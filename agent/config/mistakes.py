"""Mistakes in configuration files, and how pydantic's findings are said to an operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.config.schema import EXAMPLES, known_keys
from agent.config.units import printable, shown_value
from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to put right. ``place`` is the file, with line and column where they are known; ``key`` the path of the key
    (``dataset[web].brake.window``, empty for the file itself); ``message`` what is wrong and what to write instead."""

    place: str
    key: str
    message: str

    def __str__(self) -> str:
        return printable(": ".join(part for part in (self.place, self.key, self.message) if part))


class ConfigMistakes(ConfigError):
    """Every mistake of a configuration at once, in the order of the files."""

    def __init__(self, path: str, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        super().__init__("use the configuration", path, "\n  ".join([count, *map(str, self.mistakes)]))


def closest(word: str, known: Sequence[str]) -> str:
    """``did you mean "history"?``, or the list of what is known."""
    import difflib  # a mistake is seldom, and an agent lives long

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {shown_value(near[0])}?" if near else f"known here: {', '.join(sorted(known))}"


def explain(place: str, table: str, label: str, errors: Sequence[ErrorDetails]) -> list[Mistake]:
    """Pydantic's findings in one table as mistakes.

    ``table`` is where it stands in the schema (``"dataset"``), ``label`` how this one is called (``"dataset[web]"``).
    """
    return [_explain(place, table, label, error) for error in errors]


def _explain(place: str, table: str, label: str, error: ErrorDetails) -> Mistake:
    location = error["loc"]
    names = [table, *(part for part in location if isinstance(part, str))]
    key = label + "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return Mistake(place, key, _message(".".join(names), error))


def _message(key: str, error: ErrorDetails) -> str:
    kind, value = error["type"], error["input"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        place, _, word = key.rpartition(".")
        return f"is no key that is known; {closest(word, known_keys(place))}"
    last = key.rpartition(".")[2]
    example = EXAMPLES.get(key, "")
    write = f"write {last} = {example}" if key.count(".") else f"write {example}"
    if kind == "missing":
        return f"is missing; {write}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error":
        expected = error["ctx"]["expected"].replace("'", '"').replace(" or ", ", ")
        return f"{shown_value(value)} is not one of {expected}; {write}"
    return f"{shown_value(value)} is {_WANTED.get(kind, 'not what belongs here')}; {write}"


_WANTED = {
    "bool_type": "neither true nor false",
    "int_type": "no whole number",
    "greater_than_equal": "below zero",
    "less_than_equal": "over a million",
    "tuple_type": "no list",
    "dataclass_type": "no table",
}
