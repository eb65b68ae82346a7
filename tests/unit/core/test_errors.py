"""Errors: one sentence for an operator, one tree, one exit code each."""

from __future__ import annotations

import re

import pytest

from agent.core import errors
from agent.core.errors import Exit, HikaeError, Refused


def tree() -> dict[str, str]:
    """Every error below ``HikaeError``, with the one that it is a kind of."""
    found: dict[str, str] = {}
    todo: list[type[HikaeError]] = [HikaeError]
    while todo:
        parent = todo.pop()
        for one in parent.__subclasses__():
            if one.__module__ == errors.__name__:
                found[one.__name__] = parent.__name__
                todo.append(one)
    return found


def test_the_drawn_tree_is_the_tree() -> None:
    """The module's docstring draws every error under its parent, with its exit code."""
    drawn: dict[str, str] = {}
    way = ["HikaeError"]
    for indent, name, code in re.findall(
        r"^    ([│ ]*)[├└]── (\w+) *(?:exit (\d+))?", errors.__doc__ or "", re.MULTILINE
    ):
        depth = len(indent) // 4 + 1
        way = [*way[:depth], name]
        drawn[name] = way[-2]
        if code:
            assert int(code) == getattr(errors, name).exit_code
    assert tree() == drawn


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            HikaeError("open the vault", "/v", "it is gone", "make it"),
            "cannot open the vault (/v): it is gone; make it",
        ),
        (HikaeError("open the vault", "", "it is gone"), "cannot open the vault: it is gone"),
        (Refused("promote", "web", "a gate is not met"), "cannot promote (web): a gate is not met"),
    ],
)
def test_an_error_is_one_sentence(error: HikaeError, told: str) -> None:
    """Operation, subject, reason and remedy, as far as there are any."""
    assert told == str(error)


def test_exit_codes_are_public() -> None:
    """Other programs rely on them."""
    assert [0, 1, 2, 3, 4, 69, 75, 77, 78] == sorted(Exit)
