"""What was moved aside, or had to stay, is told until somebody removed it: also by an agent that was started since."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.apply.standby.kept_problems import REMEMBERED
from agent.capture.exclude import Rules
from agent.core.ids import ROOT
from agent.core.problem import ProblemBoard
from fakes.apply_fakes import Rig, Tree, rig

RULES = Rules(["cache/"])


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


def _applier(it: Rig) -> Applier:
    return it.applier(left_out=RULES.excluded)


def _restarted(it: Rig) -> Applier:
    """The applier of the next process, which knows only what was kept."""
    it.board = ProblemBoard()
    made = _applier(it)
    made.prepare()
    return made


def _told(it: Rig) -> list[tuple[str, bytes, str]]:
    return sorted((one.code, one.path, one.message) for one in it.board.listed()[0])


def _with_both(it: Rig) -> tuple[Applier, Tree]:
    """A directory that stays for what `exclude` names in it, and a foreign file that was moved aside."""
    tree = Tree.empty(it.store)
    tree.file(tree.directory(ROOT, b"goes"), b"ours", b"x")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    (it.root / "goes/cache").mkdir()
    (it.root / "new").write_text("somebody's")
    tree.remove(ROOT, b"goes")
    tree.file(ROOT, b"new", b"ours")
    applier.converge(it.commit(tree), silent)
    return applier, tree


def test_they_are_told_again_after_a_restart(it: Rig) -> None:
    """In the same words, however often, and whether the agent was ended or killed."""
    applier, _ = _with_both(it)
    told = _told(it)
    assert [("displaced", b"new"), ("excluded-stays", b"goes")] == [one[:2] for one in told]
    _restarted(it)
    assert told == _told(it)
    applier.close()
    _restarted(it)
    assert told == _told(it)


def test_they_end_when_what_they_tell_of_is_gone(it: Rig) -> None:
    """While the agent runs or is down; and no start tells of them again."""
    _with_both(it)
    shutil.rmtree(it.root / "goes")
    applier = _restarted(it)
    assert ["displaced"] == [code for code, _, _ in _told(it)]
    for name in os.listdir(it.root / ".hikae/displaced"):
        (it.root / ".hikae/displaced" / name).unlink()
    applier.prepare()
    assert [] == _told(it)
    _restarted(it)
    assert [] == _told(it)


def test_a_directory_that_is_wanted_again_does_not_have_to_go(it: Rig) -> None:
    """It is made again on the primary: what stands there is as it should be."""
    applier, tree = _with_both(it)
    tree.directory(ROOT, b"goes")
    applier.converge(it.commit(tree), silent)
    applier.prepare()
    assert ["displaced"] == [code for code, _, _ in _told(it)]


def test_what_lies_aside_is_told_where_local_facts_were_lost(it: Rig) -> None:
    """Nobody knows where it came from, but it is there."""
    _with_both(it)
    it.local.set_value(REMEMBERED, b"")
    _restarted(it)
    place = it.root / ".hikae/displaced"
    assert [("displaced", b"", f"what stood in the way is in {place}: 1 there")] == _told(it)
