"""How the house reads: each figure counts what it says."""

from __future__ import annotations

from pathlib import Path

from house.figures import constructor_parameters, files_by_folder, mistakes, patches
from house.source import Module, Source

_CLASS = """
class One:
    def __init__(self, a, b=1, *, c): ...
    def other(self, d): ...
"""
_TEST = """
def test(monkeypatch):
    monkeypatch.setattr(module, "_LIMIT", 3)
    monkeypatch.setattr("agent.core.clock.time", None)
"""


def _source(agent: str, tests: str = "") -> Source:
    return Source(Path(), (Module(Path("agent/core/one.py"), agent),), (Module(Path("tests/test_one.py"), tests),))


def test_parameters_of_constructors_are_counted() -> None:
    """``self`` is none, and other methods are no constructors."""
    assert {"agent.core.one.One": 3} == constructor_parameters(_source(_CLASS))


def test_patches_are_counted_and_those_of_constants() -> None:
    """A constant is told by its name."""
    assert (2, 1) == patches(_source("", _TEST))


def test_a_folder_that_is_too_full_is_a_mistake() -> None:
    """Twenty files may stand in one, beside its ``__init__``."""
    modules = [Module(Path(f"agent/core/n{at}.py"), "") for at in range(20)] + [
        Module(Path("agent/core/__init__.py"), "")
    ]
    tests = (Module(Path("tests/unit/core/test_n1.py"), ""),)
    assert 20 == files_by_folder(Source(Path(), tuple(modules), tests))["agent.core"]
    assert [] == mistakes(Source(Path(), tuple(modules), tests))
    modules.append(Module(Path("agent/core/more.py"), ""))
    assert 1 == len(mistakes(Source(Path(), tuple(modules), tests)))


def test_tests_stand_as_the_source_does() -> None:
    """A package has a folder of tests, and a folder of tests is a package's, or of what tests use."""
    modules = [Module(Path(path), "") for path in ("agent/core/one.py", "agent/store/vault/two.py", "agent/top.py")]
    paths = ("tests/house/three.py", "tests/unit/house/test_three.py", "tests/unit/cores/test_one.py")
    found = mistakes(Source(Path(), tuple(modules), tuple(Module(Path(path), "") for path in paths)))
    assert [
        "agent.core: it has no folder of unit tests",
        "agent.store: it has no folder of unit tests",
        "tests/unit/cores/test_one.py: no package is called as its folder is",
    ] == found
