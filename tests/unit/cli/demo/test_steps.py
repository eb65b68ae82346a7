"""The demonstration's story, played by agents that are not there: a wait copies the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.api.client import AdminClient
from agent.cli.demo.agents import Agent, prepare, tree_dataset
from agent.cli.demo.failover import Failover
from agent.cli.demo.steps import Story, StoryLength
from agent.config import load
from agent.core.errors import TryAgain, Unreachable
from agent.operations.comparing import DiffRequest
from agent.operations.declaration import Json
from agent.operations.generations import GenerationsTakeRequest
from agent.operations.role_changes.promoting import PromoteRequest
from agent.operations.role_changes.switching import SwitchoverRequest
from agent.operations.waiting import WaitRequest
from fakes.api_fakes import FakeControls, a_dataset, a_node


class Copying(FakeControls):
    """``wait --applied`` makes the standby a copy of the source; the first wait comes too early."""

    def __init__(self, source: Path, standby: Path) -> None:
        super().__init__(a_node(a_dataset("demo")))
        self.source, self.standby = source, standby
        self.early = True
        self.reigning, self.state = "alpha", "streaming"
        self.unmet = False
        self.answer_status = self._as_it_is

    def _as_it_is(self, value: Json) -> Json:
        return {**value, "datasets": [{**one, "state": self.state} for one in value["datasets"]]}

    def _promote(self, _request: PromoteRequest) -> Json:
        return {"gates": [{"name": "lag", "ok": not self.unmet, "value": "not said"}, {"name": "primary", "ok": True}]}

    def _switchover(self, _request: SwitchoverRequest) -> Json:
        return {"gates": [{"name": "hooks", "ok": True}]}

    def change_roles(self, word: str) -> Json:
        """What a command of that name does to both."""
        self.reigning = {"promote": "beta", "switchover": "alpha"}.get(word, self.reigning)
        self.state = {"promote": "fenced"}.get(word, "streaming")
        return {"role": "primary", "epoch": 2, "rto_ms": 17, "lost": []}

    def _wait(self, request: WaitRequest) -> Json:
        if self.early:
            self.early = False
            raise TryAgain("wait", request.dataset, "not yet")
        if request.level == "applied":
            trees = (self.source, self.standby)
            primary, standby = trees if self.reigning == "alpha" else trees[::-1]
            shutil.rmtree(standby, ignore_errors=True)
            subprocess.run(["cp", "-a", primary, standby], check=True)
        return super()._wait(request)

    def _generations_take(self, request: GenerationsTakeRequest) -> Json:
        subprocess.run(["cp", "-a", self.source, self.standby.parent / "generation"], check=True)
        return super()._generations_take(request)

    def _generations_diff(self, _request: DiffRequest) -> Json:
        return {"added": 0, "changed": 1, "moved": 0, "deleted": 0}


@dataclass(slots=True)
class ActedAgent(Agent):
    """Remembers what was done to it."""

    controls: FakeControls = field(default_factory=FakeControls)
    done: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.done.append("start")

    def kill(self) -> None:
        self.done.append("kill")

    def check_alive(self) -> None:
        self.done.append("check")

    def typed(self, *words: str) -> Json:
        self.done.append(" ".join(word for word in words if word in {words[0], "--force"}))
        assert isinstance(self.controls, Copying)
        return self.controls.change_roles(words[0])

    def client(self) -> AdminClient:
        return self.controls  # type: ignore[return-value]  # both are Controls


SHORT = StoryLength(edits=10, burst=30)


def copied_back(agent: Agent, _generation: str, to: Path, path: str) -> Json:
    """As ``restore``, from the copy that stands for the generation."""
    subprocess.run(["cp", "-a", agent.config.parent / "generation" / path, to], check=True)
    return {"entries": 3, "bytes": 5}


def rolled_back(agent: Agent, _generation: str, _keeper: str) -> Json:
    """As ``roll_back``, from the same copy."""
    shutil.rmtree(agent.config.parent / "source")
    subprocess.run(["cp", "-a", agent.config.parent / "generation", agent.config.parent / "source"], check=True)
    return {}


def a_story(base: Path, *, foreign: bool = False, length: StoryLength = SHORT) -> tuple[Story, list[str]]:
    """A story below ``base`` and the steps that it has told."""
    controls = Copying(base / "source", base / "standby")
    steps: list[str] = []
    config, socket, log = (base / name for name in ("x.toml", "x.sock", "x.log"))
    alpha, beta = (ActedAgent(name, config, socket, log, controls=controls) for name in ("alpha", "beta"))
    story = Story(
        alpha,
        beta,
        base / "source",
        base / "standby",
        lambda step, _: steps.append(step),
        foreign,
        bar=False,
        length=length,
        restore=copied_back,
        roll_back=rolled_back,
    )
    return story, steps


def test_the_whole_story(tmpfs_dir: Path) -> None:
    """Every step is told in order, the secondary is killed once and started again, and nothing differs at the end."""
    story, steps = a_story(tmpfs_dir)
    story.play()
    first = "sample tree,two agents,first sync,live edits,rename,burst,kill -9"
    then = "generation,damage,one file,restore,rollback,verify --deep,both trees"
    assert f"{first},{then},kill -9,gates,promote,rejoin,gates,switchover" == ",".join(steps)
    assert ([], [], 10) == (story.differences, story.restored_differences, len(story.lags_ms))
    assert 1 == story.generations
    assert isinstance(story.beta, ActedAgent)
    assert isinstance(story.alpha, ActedAgent)
    done = [[word for word in agent.done if word != "check"] for agent in (story.alpha, story.beta)]
    assert [["start", "kill", "start", "rejoin"], ["start", "kill", "start", "promote", "switchover"]] == done
    assert story.failover is not None
    assert (True, 0, 17, []) == (
        story.failover.promoted,
        story.failover.lost_changes,
        story.failover.rto_ms,
        story.failover.differences,
    )


def test_a_gate_that_is_not_met_is_shown_and_overridden(tmpfs_dir: Path) -> None:
    """Once it has been looked at again; what the killed primary had alone is counted as lost, and is no difference at the end."""
    story, _ = a_story(tmpfs_dir, foreign=True)
    told: list[str] = []
    for tree in (story.source, story.standby):
        tree.mkdir()
    (story.source / "late").touch()
    for tree in (story.source, story.standby):
        # The directories themselves are equal, whichever tick of the clock each was made in.
        os.utime(tree, ns=(0, 0))
    controls = story.beta.client()
    assert isinstance(controls, Copying)
    controls.unmet = True
    failover = Failover(
        story.alpha,
        story.beta,
        (story.source, story.standby),
        lambda step, words: told.append(f"{step}: {words}"),
        story.compare,
        lambda *_: None,
        lambda _: None,
        looks=2,
        look_seconds=0.0,
    )
    failover.play(source_is_foreign=True)
    assert "gates: 1 of 2 are met; not met: lag (not said), overridden" == told[1]
    assert isinstance(story.beta, ActedAgent)
    assert (["promote --force"], 1, []) == (story.beta.done, failover.lost_changes, failover.differences)


def test_differences_are_found(tmpfs_dir: Path) -> None:
    """What ``verify`` or the comparer finds stands in the differences."""
    story, _ = a_story(tmpfs_dir, length=StoryLength(edits=1, burst=3))
    story.alpha.client().equal = False  # type: ignore[attr-defined]  # the fake's
    story.compare = lambda *_: ["a: content"]
    story.play()
    assert (4, "a: content") == (len(story.differences), story.differences[-1])


def test_a_foreign_source_is_only_read(tmpfs_dir: Path) -> None:
    """The user's own tree: killed and restarted in the first sync, nothing written to the source."""
    source = tmpfs_dir / "source"
    source.mkdir()
    (source / "file").write_text("mine")
    source.chmod(0o500)
    before = os.stat(source).st_mtime_ns, os.stat(source / "file").st_ctime_ns
    story, steps = a_story(tmpfs_dir, foreign=True)
    story.play()
    shown = "your tree,two agents,kill -9,first sync,generation,restore,verify --deep,both trees"
    assert f"{shown},kill -9,gates,promote" == ",".join(steps)
    assert before == (os.stat(source).st_mtime_ns, os.stat(source / "file").st_ctime_ns)
    assert ([], [], ["file"]) == (story.differences, story.restored_differences, os.listdir(source))


def test_configurations_are_good(tmp_path: Path) -> None:
    """What the demonstration writes is what ``config check`` accepts, whatever the directory is called."""
    base = tmp_path / 'a "quoted" \\ place'
    base.mkdir()
    alpha, beta = prepare(base, tree_dataset(base / "source", base / "standby", "polling"))
    settings = [load(str(agent.config)) for agent in (alpha, beta)]
    assert ["alpha", "beta"] == [one.node.name for one in settings]
    assert ["polling", "polling"] == [one.datasets[0].watch for one in settings]
    assert settings[0].digest == settings[1].digest
    assert 2 == len({one.node.listen for one in settings})


def test_an_agent_that_ends_by_itself_is_named(tmp_path: Path) -> None:
    """A dead child is an error with its code, and its log has an end to show."""
    agent = Agent("alpha", tmp_path / "a.toml", tmp_path / "a.sock", tmp_path / "a.log", program="/bin/false")
    agent.start()
    assert agent.process is not None
    agent.process.wait()
    with pytest.raises(Unreachable, match="its agent ended with code 1"):
        agent.check_alive()
    agent.log.write_bytes(b"one\ntwo \x1b\n")
    assert ["two \\x1b"] == agent.tail(1)
    agent.stop()
    assert agent.process is None
