"""Which commands does the README give, and on which host are they typed?

A fenced block whose first line reads ``sh STEP: HOST HOST`` is a step of the two-servers part: GitHub shows it as shell, and
``make hosts`` types it, word for word, on each host in the order given."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```sh (?P<step>[a-z-]+): (?P<hosts>[a-z ]+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A step's commands, the hosts that they are typed on in turn, and the README's line that they begin at."""

    step: str
    hosts: tuple[str, ...]
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Substitution:
    """What stands in the README, what stands for it here, and why: all of them are printed before a run."""

    written: str
    instead: str
    why: str


def blocks_of(readme: str) -> list[Block]:
    """The steps of the README's text, in its order; ``ValueError`` names a block that never ends."""
    found = []
    lines = readme.splitlines()
    for at, line in enumerate(lines):
        if match := _FENCE.match(line):
            found.append(Block(match["step"], tuple(match["hosts"].split()), _body(lines, at + 1), at + 1))
    return found


def _body(lines: list[str], start: int) -> str:
    for end in range(start, len(lines)):
        if lines[end] == "```":
            return "\n".join(lines[start:end]) + "\n"
    raise ValueError(f"README.md:{start}: this block never ends")


def with_substitutions(text: str, substitutions: tuple[Substitution, ...]) -> str:
    """The commands as they are typed here."""
    for one in substitutions:
        text = text.replace(one.written, one.instead)
    return text
