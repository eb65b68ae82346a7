"""One public name, one meaning: another is found, and so is a list that allows what need not be."""

from __future__ import annotations

from pathlib import Path

from house.names import ALLOWED, meanings, mistakes
from house.source import Module, Source


def _source(**texts: str) -> Source:
    return Source(Path(), tuple(Module(Path(f"agent/core/{name}.py"), text) for name, text in texts.items()), ())


def test_a_name_of_two_modules_is_found() -> None:
    """Classes and functions of any two modules; what is private, or imported, defines nothing."""
    source = _source(one="class Held: ...\ndef _own(): ...", two="def Held(): ...\ndef _own(): ...", three="Held = 1")
    assert {"Held": ["agent.core.one", "agent.core.two"]} == meanings(source)
    assert "Held: agent.core.one, agent.core.two" in mistakes(source)


def test_what_is_allowed_for_nothing_is_told() -> None:
    """The list may only shrink."""
    assert [f"{name} is allowed in house/names.py, and has one meaning" for name in ALLOWED] == mistakes(
        _source(one="")
    )
