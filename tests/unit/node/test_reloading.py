"""A configuration that is read again: what is handed on, what is said, and that a wrong one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import pki
from agent.config import load
from agent.config.values import Dataset, Limit
from agent.core.clock import ManualClock
from agent.core.errors import ConfigError
from agent.core.problem import Problem, ProblemBoard
from agent.core.problem_codes import CONFIG_INVALID, CONFIG_NEEDS_RESTART
from agent.node.reloading import Reloader

HEAD = '[node]\nname = "alpha"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
WEB = '[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "alpha"\nstandby = ["beta"]\n'
LIMITED = WEB + 'limits = { steady = [{ rate = "1MB/s" }] }\n'


class Told:
    """Remembers what it was configured as, and what the files named as its primary."""

    def __init__(self) -> None:
        self.datasets: list[Dataset] = []
        self.named: list[str] = []
        self.recorded = False

    def configure(self, dataset: Dataset, read: Dataset) -> bool:
        self.datasets.append(dataset)
        self.named.append(read.primary)
        return self.recorded


class Node:
    """A file with its keys beside it, and a reloader that runs on what it said at first."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "agent.toml"
        clock = ManualClock()
        pki.init(str(directory / "pki"), clock.now_ns())
        pki.issue("alpha", str(directory / "pki"), now_ns=clock.now_ns())
        self.file.write_text(HEAD + WEB)
        self.board = ProblemBoard()
        self.web = Told()
        self.published = 0
        self.reloader = Reloader(load(str(self.file)), {"web": self.web}, self.board, clock, changed=self._changed)

    def _changed(self) -> None:
        self.published += 1

    def problems(self) -> dict[str, Problem]:
        """By code."""
        return {one.code: one for one in self.board.listed()[0]}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node without anything that runs."""
    return Node(tmp_path)


def test_limits_are_handed_to_their_dataset(node: Node) -> None:
    """The dataset gets the new value; nothing is wrong; it is published; the second time nothing is new."""
    node.file.write_text(HEAD + LIMITED)
    assert ["dataset[web].limits"] == node.reloader.reload()["taken"]
    assert (Limit(None, 1_000_000),) == node.web.datasets[-1].limits.steady
    assert ([], {}, 1) == (node.reloader.reload()["taken"], node.problems(), node.published - 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + WEB + 'limits = { steady = [{ rate = "fast" }] }\n', ("dataset[web].limits.steady[1].rate", "80MB/s")),
        (HEAD + WEB + "histroy = 1\nkind = 3\n", ("dataset[web].", "(and 1 more: hikae config check)")),
        ("[node\n", ("is no TOML",)),
    ],
)
def test_a_wrong_file_changes_nothing(node: Node, text: str, words: tuple[str, ...]) -> None:
    """It is refused whole with file, key and what to write instead, in one line, until a right one is read."""
    node.file.write_text(text)
    with pytest.raises(ConfigError):
        node.reloader.reload()
    problem = node.problems()[CONFIG_INVALID]
    assert all(word in problem.message for word in (str(node.file), *words)), problem.message
    assert ("\n" in problem.message, "hikae reload" in problem.remedy, []) == (False, True, node.web.datasets)
    node.file.write_text(HEAD + LIMITED)
    node.reloader.reload()
    assert {} == node.problems()


def test_a_key_that_is_gone_is_a_wrong_file(node: Node) -> None:
    """What the settings name must be there, as at a start."""
    (node.file.parent / "pki" / "alpha.key").unlink()
    with pytest.raises(ConfigError):
        node.reloader.reload()
    assert "tls.key" in node.problems()[CONFIG_INVALID].message


def test_what_needs_a_restart_is_said_until_it_is_undone(node: Node) -> None:
    """The keys are listed, beside others that took effect, until the file is as it runs."""
    node.file.write_text(HEAD + LIMITED + 'exclude = ["*.o"]\n')
    assert ["dataset[web].exclude"] == node.reloader.reload()["needs_restart"]
    problem = node.problems()[CONFIG_NEEDS_RESTART]
    assert (True, True) == ("dataset[web].exclude" in problem.message, "systemctl restart hikae" in problem.remedy)
    assert ((), 1) == (node.web.datasets[-1].exclude, len(node.web.datasets[-1].limits.steady))
    node.file.write_text(HEAD + LIMITED)
    node.reloader.reload()
    assert {} == node.problems()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_primary_that_a_record_overrules_waits_for_no_restart(node: Node, recorded: bool) -> None:
    """Its dataset is told what the file names; before there is a record a restart takes it."""
    node.web.recorded = recorded
    node.file.write_text(
        HEAD + WEB.replace('"alpha"', '"gamma"').replace('["beta"]', '["alpha"]').replace("gamma", "beta")
    )
    waiting = node.reloader.reload()["needs_restart"]
    assert (["beta"], "alpha") == (node.web.named, node.web.datasets[-1].primary)
    assert ["dataset[web].standby"] == [key for key in waiting if key != "dataset[web].primary"]
    assert recorded is ("dataset[web].primary" not in waiting)


def test_many_keys_are_counted(node: Node) -> None:
    """A new configuration altogether is one readable line."""
    more = "".join(f'[[peer]]\nname = "p{number}"\naddress = "p{number}:1"\n' for number in range(20))
    node.file.write_text(HEAD + more + WEB)
    node.reloader.reload()
    assert node.problems()[CONFIG_NEEDS_RESTART].message.endswith(" and 12 more")
