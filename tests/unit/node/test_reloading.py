"""A configuration that is read again: what is handed on, what is said, and that a wrong one changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from agent import pki
from agent.config import load
from agent.config.changes import ConfigChanges
from agent.config.values import Dataset, Limit, Settings
from agent.core.clock import ManualClock
from agent.core.errors import ConfigError
from agent.core.problem import Problem, ProblemBoard
from agent.core.problem_codes import CONFIG_INVALID, CONFIG_NEEDS_RESTART
from agent.node.reloading import Reloader

HEAD = '[node]\nname = "alpha"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
WEB = '[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "alpha"\nstandby = ["beta"]\n'
LIMITED = WEB + 'limits = { steady = [{ rate = "1MB/s" }] }\n'


class Told:
    """Remembers what it was to go on with; the primary of ``recorded`` datasets is another than the files may say."""

    def __init__(self) -> None:
        self.found: list[ConfigChanges] = []
        self.recorded: set[str] = set()

    def take(self, found: ConfigChanges, read: Settings) -> Collection[str]:
        self.found.append(found)
        return self.recorded

    def web(self) -> Dataset:
        """As it was last configured."""
        return next(one for one in self.found[-1].settings.datasets if one.name == "web")


class Node:
    """A file with its keys beside it, and a reloader that runs on what it said at first."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "agent.toml"
        clock = ManualClock()
        pki.init(str(directory / "pki"), clock.now_ns())
        pki.issue("alpha", str(directory / "pki"), now_ns=clock.now_ns())
        self.file.write_text(HEAD + WEB)
        self.board = ProblemBoard()
        self.told = Told()
        self.published = 0
        self.reloader = Reloader(load(str(self.file)), self.told, self.board, clock, changed=self._changed)

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
    assert (Limit(None, 1_000_000),) == node.told.web().limits.steady
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
    assert ("\n" in problem.message, "hikae reload" in problem.remedy, []) == (False, True, node.told.found)
    node.file.write_text(HEAD + LIMITED)
    node.reloader.reload()
    assert {} == node.problems()


def test_what_is_wrong_already_refuses_no_reload(node: Node) -> None:
    """A key that is gone, a place that was taken: both are said, and what else was changed takes effect."""
    (node.file.parent / "pki" / "alpha.key").unlink()
    node.file.write_text(HEAD + LIMITED)
    found = node.reloader.reload()
    assert (["dataset[web].limits"], True) == (found["taken"], "tls.key" in found["warnings"][0])
    assert {} == node.problems()


def test_what_is_named_anew_must_be_there(node: Node) -> None:
    """Files that another name leads to, and a place that a dataset is moved to."""
    for text, key in (
        (HEAD + '[tls]\nkey = "/nowhere/alpha.key"\n' + LIMITED, "tls.key"),
        (HEAD + LIMITED.replace("/srv/web", str(node.file)), "dataset[web].path"),
    ):
        node.file.write_text(text)
        with pytest.raises(ConfigError):
            node.reloader.reload()
        assert key in node.problems()[CONFIG_INVALID].message


def test_a_new_dataset_at_the_place_of_one_that_runs_is_refused(node: Node) -> None:
    """It would keep that one shut at its next opening, though what is wrong is said of the one that comes later."""
    (node.file.parent / "again").symlink_to("/srv/web")
    again = WEB.replace('"web"', '"again"').replace("/srv/web", str(node.file.parent / "again"))
    node.file.write_text(HEAD + again + WEB)
    with pytest.raises(ConfigError):
        node.reloader.reload()
    assert "leads to the path of dataset" in node.problems()[CONFIG_INVALID].message


def test_what_needs_a_restart_is_said_until_it_is_undone(node: Node) -> None:
    """The keys are listed, beside others that took effect, until the file is as it runs."""
    node.file.write_text(HEAD + LIMITED + 'vault = "/backup"\n')
    assert ["dataset[web].vault"] == node.reloader.reload()["needs_restart"]
    problem = node.problems()[CONFIG_NEEDS_RESTART]
    assert (True, True) == ("dataset[web].vault" in problem.message, "systemctl restart hikae" in problem.remedy)
    assert (None, 1) == (node.told.web().vault, len(node.told.web().limits.steady))
    node.file.write_text(HEAD + LIMITED)
    node.reloader.reload()
    assert {} == node.problems()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_primary_that_a_record_overrules_is_not_taken(node: Node, recorded: bool) -> None:
    """It takes no effect and waits for no restart; before there is a record it is the primary."""
    node.told.recorded = {"web"} if recorded else set()
    node.file.write_text(
        HEAD + WEB.replace('"alpha"', '"gamma"').replace('["beta"]', '["alpha"]').replace("gamma", "beta")
    )
    found = node.reloader.reload()
    assert ("dataset[web].primary" not in found["taken"], []) == (recorded, found["needs_restart"])
    assert frozenset({"web"}) == node.told.found[-1].reopened


def test_many_keys_are_counted(node: Node) -> None:
    """A new configuration altogether is one readable line."""
    sets = [WEB.replace("web", f"d{number}") for number in range(20)]
    node.file.write_text(HEAD + "".join(sets))
    node.reloader.reload()
    node.file.write_text(HEAD + "".join(one + 'vault = "/backup"\n' for one in sets))
    node.reloader.reload()
    assert node.problems()[CONFIG_NEEDS_RESTART].message.endswith(" and 12 more")
