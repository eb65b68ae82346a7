"""A command line against an agent that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.context import Context, Person
from agent.cli.main import main
from agent.core.clock import ManualClock
from agent.status.events import EventLog
from agent.status.facts import NodeFacts
from agent.status.publish import Publisher
from fakes.api_fakes import FakeControls
from fakes.cli_person import FakePerson, Published, twice


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch) -> FakeControls:
    """What every command of the test talks to."""
    monkeypatch.delenv("HIKAE_CONFIG", raising=False)
    return FakeControls()


@pytest.fixture
def hikae(controls: FakeControls, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line; exit code, stdout, stderr."""

    def run(*arguments: str, person: Person | None = None) -> tuple[int, str, str]:
        context = Context(connect=lambda _: controls, ticks=twice, person=person or FakePerson(None))
        code = main(arguments, context)
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def published(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Published:
    """The option that names a configuration whose agent published the facts that it is given."""

    def publish(facts: NodeFacts) -> tuple[str, str]:
        (tmp_path / "agent.toml").write_text(f'[node]\nadmin_socket = "{tmp_path}/admin.sock"\n')
        Publisher(str(tmp_path / "state.json"), lambda: facts, EventLog(None), ManualClock(5)).publish()
        capfd.readouterr()  # the journal
        return "--config", str(tmp_path / "agent.toml")

    return publish
