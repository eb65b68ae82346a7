"""What stands before a restore in place is kept, where somebody can keep it; else whoever restores is told why, and asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli.context import Context
from agent.cli.history.kept_before import KeptInPlace, agree_to_lose, keep_before, kept_of, not_in_it, remark_target
from agent.core.errors import HikaeError, Refused, Unreachable
from agent.generations.restore.stood_before import StoodBefore
from agent.generations.restore.target import Target
from agent.operations.declaration import AnswerT, Json, Progress, Request
from agent.operations.elsewhere.keeping import KeepStandingRequest
from fakes.cli_person import FakePerson

NAME = "20261122T031500Z"
#: What keeps all of it.
ALL = StoodBefore(NAME, "beta")
#: Nobody keeps it.
NONE = StoodBefore(not_kept="beta does not answer", remedy="start beta")
LAST: Json = {"epoch": 1, "seq": 70}
KEPT: Json = {"dataset": "web", "generation": NAME, "node": "beta", "commit": LAST, "waited_for": LAST, "incomplete": 0}


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A directory with the configuration that names the agent's socket."""
    (tmp_path / "agent.toml").write_text('[node]\nadmin_socket = "/none"\n')
    return tmp_path


class _Agent:
    """Answers so, or raises."""

    def __init__(self, end: Json | HikaeError) -> None:
        self.end = end
        self.asked: list[object] = []

    def ask(self, request: Request[AnswerT], progress: Progress | None = None) -> AnswerT:
        """See ``Controls``."""
        self.asked.append(request)
        if isinstance(self.end, HikaeError):
            raise self.end
        answer: AnswerT = request.ANSWER(self.end)
        return answer


def _kept(end: Json | HikaeError, directory: Path) -> tuple[StoodBefore, list[object]]:
    agent = _Agent(end)
    context = Context(str(directory / "agent.toml"), connect=lambda _: agent)
    return keep_before(context, "web", "generation before", "gamma", quiet=True), agent.asked


def test_its_name_is_said_as_soon_as_it_is_taken(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The node whose history is read is the one that is meant."""
    kept, asked = _kept(KEPT, configured)
    request = KeepStandingRequest("web", "before a restore in place of generation before", "gamma")
    assert (ALL, [request]) == (kept, asked)
    assert f"  what stands now is kept as generation {NAME} on beta\n" == capsys.readouterr().err


def test_where_nobody_can_keep_it_that_is_said(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do about it."""
    kept, _ = _kept(Unreachable("ask", "beta", "beta does not answer", "start beta"), configured)
    assert NONE == kept
    told = "  no generation keeps what stands now: beta does not answer\n  to mend that: start beta\n"
    assert told == capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "lacks"),
    [
        ({}, ()),
        ({"commit": {"epoch": 1, "seq": 71}}, ()),
        ({"commit": {"epoch": 2, "seq": 1}}, ()),
        ({"commit": {"epoch": 1, "seq": 5}}, ("what was written since: commit 1.5 is", "commit 1.70 has all")),
        ({"incomplete": 12}, ("the content of 12 files",)),
        ({"incomplete": 1, "commit": None}, ("what was written since", " and the content of 1 file,")),
    ],
)
def test_what_it_lacks_of_what_stood(
    more: Json, lacks: tuple[str, ...], configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing, where it is of the commit that was waited for or a later one, and all content came; else that is said at once."""
    found, remedy = not_in_it(KEPT | more)
    assert (bool(lacks), [*lacks]) == (bool(remedy), [one for one in lacks if one in found])
    assert bool(lacks) == bool(found)
    kept, _ = _kept(KEPT | more, configured)
    assert (found, found in capsys.readouterr().err) == (kept.not_kept, True)


@pytest.mark.parametrize("answer", [True, False])
def test_nobody_is_asked_where_all_is_kept(answer: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever restores has said that it is meant."""
    agree_to_lose(Context(person=FakePerson(answer)), ALL, "web", yes=False)
    assert "" == capsys.readouterr().err


def test_who_restores_is_asked_once_more_where_something_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether nothing is kept or only a part is not. Without a yes nothing is changed, and it is said what helps."""
    for stands in (NONE, StoodBefore(NAME, "beta", "the content of 1 file", "start beta")):
        agree_to_lose(Context(person=FakePerson(True)), stands, "web", yes=False)
        with pytest.raises(Refused, match="nothing was changed; start beta"):
            agree_to_lose(Context(person=FakePerson(False)), stands, "web", yes=False)
    assert 4 == capsys.readouterr().err.count("Write over it nevertheless?")


def test_with_yes_it_goes_on_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A script is not asked."""
    agree_to_lose(Context(person=FakePerson(None)), NONE, "web", yes=True)
    assert "  it is written over nevertheless, since --yes was given\n" == capsys.readouterr().err


def _target(*, resumed: bool, stood: StoodBefore | None, cut_off: StoodBefore | None = None) -> Target:
    return Target("/web", -1, -1, -1, -1, -1, fresh=False, resumed=resumed, stood=stood, cut_off=cut_off)


def test_one_that_goes_on_names_what_was_kept_first(capsys: pytest.CaptureFixture[str]) -> None:
    """What it finds is half restored, and has a name of its own."""
    target, now = _target(resumed=True, stood=ALL), StoodBefore("20261122T031600Z", "beta")
    kept = kept_of(target, now)
    assert KeptInPlace(ALL, now.generation) == kept
    remark_target(target, kept)
    assert f"  before it first began: what stood there is generation {NAME}\n" in capsys.readouterr().err


def test_one_that_goes_on_names_none_where_none_was_noted() -> None:
    """The one that is taken now is of a tree that is half restored."""
    kept = kept_of(_target(resumed=True, stood=None), ALL)
    assert kept is not None
    told = "no generation keeps what stood there: the restore that was cut off did not note which one does"
    assert (told, NAME) == (kept.first.sentence, kept.resumed)


def test_one_that_begins_says_what_another_one_left(capsys: pytest.CaptureFixture[str]) -> None:
    """What stood before that one is kept by what was kept then."""
    target, now = _target(resumed=False, stood=None, cut_off=ALL), StoodBefore("20261122T031600Z", "beta")
    kept = kept_of(target, now)
    assert KeptInPlace(now) == kept
    remark_target(target, kept)
    told = f"  another restore was cut off here; before that one: what stood there is generation {NAME}\n"
    assert told == capsys.readouterr().err
    assert kept_of(target, None) is None
