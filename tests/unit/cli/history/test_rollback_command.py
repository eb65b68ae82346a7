"""``hikae rollback`` against an agent that is not there: what is said before, asked, and answered."""

from __future__ import annotations

import json

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from agent.core.errors import Exit
from fakes.api_fakes import FakeControls
from fakes.cli_person import FakePerson


def _typed(controls: FakeControls, answer: bool | None, *arguments: str) -> int:
    return main(("rollback", "web", *arguments), Context(connect=lambda _: controls, person=FakePerson(answer)))


def _asked(controls: FakeControls) -> list[tuple[object, ...]]:
    return [call[1:] for call in controls.calls if call[0] == "rollback"]


@pytest.mark.parametrize(("answer", "code"), [(True, Exit.DONE), (False, Exit.REFUSED), (None, Exit.REFUSED)])
def test_it_is_done_once_somebody_agrees(answer: bool | None, code: Exit, capfd: pytest.CaptureFixture[str]) -> None:
    """Which moment is meant, and what stands in the way, is said first; nobody who can be asked is a refusal."""
    controls = FakeControls()
    assert code == _typed(controls, answer, "--generation", "latest")
    first, then = ("web", "", "latest", "", False, True), ("web", "", "20261122T031500Z", "", False, False)
    assert [first, *([then] if answer else [])] == _asked(controls)
    said = capfd.readouterr()
    assert True is ("back to generation 20261122T031500Z" in said.out)
    assert True is ("writers: vi (process 7); end what writes" in said.err)


def test_with_yes_nobody_is_asked(capfd: pytest.CaptureFixture[str]) -> None:
    """The moment is told first, then the steps, what was forced, and the generation from before."""
    controls = FakeControls()
    assert Exit.DONE == _typed(controls, None, "--at", "02:13", "--from", "beta", "--force", "--yes")
    assert [("web", "02:13", "", "beta", True, dry) for dry in (True, False)] == _asked(controls)
    said = capfd.readouterr()
    assert said.out.splitlines()[0].startswith("web: back to generation 20261122T031500Z; 12 entries")
    assert True is ("stop: done in 0.1 s" in said.out and "is generation 20261122T041500Z" in said.out)
    assert True is ("forced: vi (process 7) may write /srv/web/a" in said.err)


def test_with_json_the_moment_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout has the answer alone."""
    assert Exit.DONE == _typed(FakeControls(), None, "--generation", "latest", "--yes", "--json")
    said = capfd.readouterr()
    assert ("web", True) == (json.loads(said.out)["dataset"], "web: back to generation 20261122T031500Z" in said.err)


def test_a_dry_run_answers_the_plan(capfd: pytest.CaptureFixture[str]) -> None:
    """As JSON alone, and nothing is done."""
    controls = FakeControls()
    assert Exit.DONE == _typed(controls, None, "--at", "before", "--dry-run", "--json")
    plan = json.loads(capfd.readouterr().out)
    assert ([("web", "before", "", "", False, True)], 2) == (_asked(controls), plan["incomplete"])
