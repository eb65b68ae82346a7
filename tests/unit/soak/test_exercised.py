"""What a part of `make soak` exercises, by what its tests reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.exercised import exercised
from soak.parts import PARTS

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", ["storms-of-two", "promote", "history-kills", "boots", "cases", "device-kills"])
def test_whole_agents_exercise_everything(name: str) -> None:
    """Whatever changes, such a part is run again."""
    assert {"agent", "protos"} == exercised(REPOSITORY, PARTS[name].tests)


def test_a_part_of_the_code_alone(tmp_path: Path) -> None:
    """What a test imports, names in a text, and what that imports; the packages around each."""
    for path, text in {
        "tests/test_it.py": "from fakes import rig\nPROGRAM = 'import agent.b.named'\n",
        "tests/fakes/__init__.py": "",
        "tests/fakes/rig.py": "from agent.a import one\n",
        "agent/__init__.py": "",
        "agent/a/__init__.py": "",
        "agent/a/one.py": "import agent.c\n",
        "agent/b/__init__.py": "",
        "agent/b/named.py": "",
        "agent/b/other.py": "",
        "agent/c.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    reached = ("__init__.py", "a/__init__.py", "a/one.py", "b/__init__.py", "b/named.py", "c.py")
    assert {f"agent/{path}" for path in reached} == exercised(tmp_path, ("tests/test_it.py", "-k", "it"))
