"""Defaults that do nothing: each is found with its parameter, and so is a list that allows what need not be."""

from __future__ import annotations

from pathlib import Path

from house.idle_defaults import ALLOWED, idle_defaults, mistakes
from house.source import Module, Source

_CLASS = """
def nobody(_): ...
def answers(_): return 1
def works(_): return nobody(_)
class One:
    def __init__(self, a, b=nobody, *, c=lambda: None, e): ...
    def other(self, d=answers, f=works, g=lambda: works(1)): ...
"""


def _source(path: str, text: str) -> Source:
    return Source(Path(), (Module(Path(path), text),), ())


def test_each_is_told_with_its_parameter() -> None:
    """What does or answers something else is none."""
    source = _source("agent/core/one.py", _CLASS)
    assert [("b", 6), ("c", 6), ("d", 7)] == sorted((one.parameter, one.line) for one in idle_defaults(source))
    assert "agent/core/one.py:6: b: a default that does nothing, and a missing wire would not show" in mistakes(source)


_ELSEWHERE = """
from dataclasses import dataclass, field
from agent.core.one import nobody, answers as told, works
from agent.core.other import nobody as somebody
def ask(a=nobody, b=works, c=somebody): ...
@dataclass
class Two:
    d: Call = told
    e: Call = field(default=lambda: None)
    f: Call = works
    g: list[int] = field(default_factory=list)
    h: Call
"""


def test_what_is_imported_and_what_is_a_field_is_found() -> None:
    """By the module that it comes from: one of that name elsewhere may do something."""
    texts = {"one": _CLASS, "other": "def nobody(): print()", "two": _ELSEWHERE}
    modules = (Module(Path(f"agent/core/{name}.py"), text) for name, text in texts.items())
    found = [one for one in idle_defaults(Source(Path(), tuple(modules), ())) if one.path == "agent/core/two.py"]
    assert [("a", 5), ("d", 8), ("e", 9)] == [(one.parameter, one.line) for one in found]


def test_one_on_the_list_is_no_mistake() -> None:
    """By its file and its name: another parameter of the same file is one."""
    key = next(iter(ALLOWED))
    path, name = key.split()
    told = mistakes(_source(path, f"def one({name}=lambda: None, another=lambda: None): ..."))
    assert [f"{path}:1: another: a default that does nothing, and a missing wire would not show"] == told[:1]
    assert [] == [line for line in told[1:] if line.startswith(key)]


def test_what_is_allowed_for_nothing_is_told() -> None:
    """The list may only shrink."""
    assert [f"{key} is allowed in house/idle_defaults.py, and is none" for key in ALLOWED] == mistakes(
        _source("agent/core/one.py", "")
    )
