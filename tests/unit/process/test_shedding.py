"""What is shed of a module leaves it as it was for whoever runs it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agent.process.shedding import shed_from

_SOURCE = '''
"""A module."""
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

@dataclass(frozen=True, slots=True)
class Point:
    """A value."""
    x: int
    y: int = 2
    hidden: bytes = field(default=b"", repr=False, compare=False)

    @property
    def sum(self) -> int:
        """Of both."""
        return self.x + self.y

    @staticmethod
    def zero() -> "Point":
        """At the origin."""
        return Point(0, 0)

@dataclass(frozen=True, slots=True)
class Further(Point):
    z: int = 3

@dataclass(slots=True)
class Open:
    a: list[int] = field(default_factory=list)

@dataclass(frozen=True, slots=True)
class Empty:
    pass

@dataclass(frozen=True)
class Own:
    x: int

    def __repr__(self) -> str:
        """As a word."""
        return "own"

class ByHand(Own):
    def __init__(self, x: int) -> None:
        super().__init__(x)
        self.more = 1

def add(a: int, *, b: int = 1) -> int:
    """Both together."""
    return a + b

def said() -> str:
    "said"
    return "said"

@contextmanager
def opened(a: int):
    """Meanwhile."""
    yield a
'''
_SHOWN = "Further(x=1, y=2, z=4)"
_AGENT = """
import sys, types
service = types.ModuleType("agent.process.service")
def run(settings, *, web):
    import agent.node.assembly
    without = {name for name, one in sys.modules.items() if name.startswith("agent.") and one.__doc__ is None}
    print("agent.node.assembly" in without, "agent.config" in without, len(without) > 500)
    return 0
service.run = run
sys.modules["agent.process.service"] = service
from agent.cli.main import main
sys.exit(main(["--config", sys.argv[1], "agent", "--no-web"]))
"""


@pytest.fixture
def module() -> ModuleType:
    """As it stands once it was imported by an agent."""
    made = ModuleType("made")
    sys.modules["made"] = made
    exec(compile(_SOURCE, "made.py", "exec"), made.__dict__)
    shed_from(made)
    return made


def test_docstrings_and_annotations_are_gone(module: ModuleType) -> None:
    """Of functions that others wrap, too; and what a docstring was is no constant of theirs, unless they use it."""
    wrapped = module.opened.__wrapped__
    functions = [module.add, module.said, module.Point.sum.fget, module.Point.zero, module.Own.__repr__, wrapped]
    assert [None] * 8 == [one.__doc__ for one in (module, module.Point, *functions)]
    assert [{}] * 6 == [one.__annotations__ for one in functions]
    assert [None, "said", None, None, None, None] == [one.__code__.co_consts[0] for one in functions]


def test_functions_do_what_they_did(module: ModuleType) -> None:
    with module.opened(7) as seven:
        assert (3, 5, "said", 3, 0, 7) == (
            module.add(2), module.add(2, b=3), module.said(), module.Point(1).sum, module.Point.zero().sum, seven
        )  # fmt: skip


def test_values_are_what_they_were(module: ModuleType) -> None:
    """Compared, hashed, replaced and shown, with the fields that are not; a ``__repr__`` of its own stays."""
    point = module.Further(1, hidden=b"1", z=4)
    assert point == dataclasses.replace(point, hidden=b"2")
    assert {point: 1}[module.Further(1, z=4)] == 1
    assert [_SHOWN, "Open(a=[])", "own"] == [repr(point), repr(module.Open()), repr(module.Own(1))]


def test_values_are_compared_and_hashed_as_they_were(module: ModuleType) -> None:
    """By the fields that count, whatever the class; what cannot be hashed could not before."""
    one, other = module.Point(1, hidden=b"1"), module.Point(1, 3)
    assert (True, False, False) == (one == module.Point(1), one == other, one == module.Further(1))
    assert (True, False, False) == (module.Own(1) == module.Own(1), module.Own(1) == module.ByHand(1), one == (1, 2))
    assert (hash((1, 2)), hash((1,)), hash((1,))) == (hash(one), hash(module.Own(1)), hash(module.ByHand(1)))
    assert (module.Open(), module.Empty()) == (module.Open([]), module.Empty())
    with pytest.raises(TypeError, match="unhashable"):
        hash(module.Open())


@pytest.mark.parametrize("make", ["Point", "Further", "Own", "ByHand"])
def test_frozen_values_are_frozen(module: ModuleType, make: str) -> None:
    """In the words of ``dataclasses``, and derived classes too."""
    one = getattr(module, make)(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x
    assert one.x == 1


def test_what_is_not_frozen_can_be_changed(module: ModuleType) -> None:
    """Also what a class that is derived by hand has beside the fields."""
    one, other = module.Open(), module.ByHand(1)
    one.a, other.more = [1], 2
    assert ([1], 2) == (one.a, other.more)
    del other.more
    assert not hasattr(other, "more")


def test_the_agent_is_shed(tmp_path: Path) -> None:
    """All that ``hikae agent`` imports of ours, the configuration among it."""
    config = tmp_path / "hikae.toml"
    config.write_text(
        f'[node]\nname = "alpha"\nstate_dir = "{tmp_path}/state"\nadmin_socket = "{tmp_path}/admin.sock"\n'
    )
    told = subprocess.run([sys.executable, "-c", _AGENT, str(config)], check=False, capture_output=True, text=True)
    assert ("True True True\n", 0) == (told.stdout, told.returncode), told.stderr
