"""What stands before a restore in place is kept, where somebody can keep it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.context import Context
from agent.cli.history.kept_before import keep_before
from agent.core.errors import HikaeError, TryAgain, Unreachable
from agent.operations.declaration import AnswerT, Progress, Request
from agent.operations.role_changes.rolling_back import GenerationsBeforeRequest


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A directory with the configuration that names the agent's socket."""
    (tmp_path / "agent.toml").write_text('[node]\nadmin_socket = "/none"\n')
    return tmp_path


class _Agent:
    """Raises these, one at each question for a generation, and then takes one."""

    def __init__(self, *errors: HikaeError) -> None:
        self.errors = list(errors)
        self.asked: list[str] = []

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        self.asked.append(type(request).__name__)
        takes = isinstance(request, GenerationsBeforeRequest)
        if takes and self.errors:
            raise self.errors.pop(0)
        answer: AnswerT = request.ANSWER({"generation": "20261122T031500Z"} if takes else {})
        return answer


def _at_once(_seconds: float) -> Iterator[None]:
    while True:
        yield


def _kept(agent: _Agent, directory: Path) -> str:
    context = Context(str(directory / "agent.toml"), connect=lambda _: agent, ticks=_at_once)
    return keep_before(context, "web", "generation before", quiet=True)


def test_all_that_was_written_is_in_it_and_one_taken_a_moment_ago_is_no_reason(configured: Path) -> None:
    """It is waited for first; who took one just now is asked again."""
    agent = _Agent(TryAgain("take", "web", "one was taken a moment ago"))
    assert "20261122T031500Z" == _kept(agent, configured)
    assert ["WaitRequest", *["GenerationsBeforeRequest"] * 2] == agent.asked


def test_where_nobody_can_keep_it_that_is_said(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the restore goes on: it may be what is left to do."""
    agent = _Agent(Unreachable("ask", "beta", "beta does not answer"))
    assert "" == _kept(agent, configured)
    assert "no generation keeps what stands now: beta does not answer" in capsys.readouterr().err
