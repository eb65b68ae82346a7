"""What people read of generations."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from agent.core.errors import Exit
from fakes.api_fakes import FakeControls
from fakes.generation_answers import LISTED, NAME


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is Tokyo's; the C library is told, which nothing else can tell."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def hikae(capfd: pytest.CaptureFixture[str], controls: FakeControls, *arguments: str) -> tuple[int, str, str]:
    """One command line; exit code, stdout, stderr."""
    code = main(arguments, Context(connect=lambda _: controls))
    out, err = capfd.readouterr()
    return code, out, err


def test_a_list_at_80_columns(tokyo: None, capfd: pytest.CaptureFixture[str]) -> None:
    """Local time, the label cut where it is too long, what is pinned or not all here told apart."""
    controls = FakeControls()
    controls.listed = (LISTED, {**LISTED, "generation": f"{NAME}-2", "label": "", "incomplete": 0})
    code, out, err = hikae(capfd, controls, "generations", "list", "web")
    assert [
        "GENERATION          TAKEN                   SIZE    ENTRIES LABEL",
        "20261122T031500Z    2026-11-22 12:15 !   5.0 GiB  1,234,567 before the upgrade …",
        "20261122T031500Z-2  2026-11-22 12:15 *   5.0 GiB  1,234,567",
    ] == out.splitlines()
    assert (0, True, True) == (code, "* pinned" in err, all(len(line) <= 80 for line in out.splitlines()))


def test_a_list_with_room_says_what_each_takes(
    tokyo: None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own, and what others have too; a question mark where that was not counted."""
    monkeypatch.setenv("COLUMNS", "100")
    controls = FakeControls()
    controls.listed = (LISTED, {**LISTED, "own_bytes": None, "shared_bytes": None, "label": ""})
    _, out, _ = hikae(capfd, controls, "generations", "list", "web")
    assert [
        "GENERATION          TAKEN                   SIZE       OWN    SHARED    ENTRIES LABEL",
        "20261122T031500Z    2026-11-22 12:15 !   5.0 GiB   1.0 MiB   4.0 GiB  1,234,567 before the upgrade …",
        "20261122T031500Z    2026-11-22 12:15 !   5.0 GiB         ?         ?  1,234,567",
    ] == out.splitlines()
    assert all(len(line) <= 100 for line in out.splitlines())


def test_without_any_it_says_what_to_type(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is no table."""
    controls = FakeControls()
    controls.listed = ()
    words = "web: no generations yet; hikae generations take web takes one\n"
    assert (0, words, "") == hikae(capfd, controls, "generations", "list", "web")


def test_what_a_divergence_lacks_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    """The first paths, and how many there are beside them: no other page knows them."""
    controls = FakeControls()
    controls.lacking = ("a", "d/b\\n")
    _, out, _ = hikae(capfd, controls, "generations", "show", "web", NAME)
    lines = out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("incomplete"))
    assert [
        "incomplete  2 are not all here, changed by somebody before they were copied:",
        "            a",
        "            d/b\\n",
    ] == lines[place : place + 3]


def test_one_with_all_that_is_known(tokyo: None, capfd: pytest.CaptureFixture[str]) -> None:
    """What stands still, what is immutable, what the primary did not say."""
    code, out, _ = hikae(capfd, FakeControls(), "generations", "show", "web", NAME)
    assert 0 == code
    assert [
        "generation  20261122T031500Z (pinned)",
        "label       before the upgrade of everything",
        "node        beta",
        "taken       2026-11-22 12:15:00, cause: demand",
        "state of    2026-11-22 12:14:59, commit 3.1842",
        "consistency file-consistent; the source stood still for 12 ms",
        "holds       1,234,567 entries, 5.0 GiB",
        "space       1.0 MiB of the vault for it alone; other moments have 4.0 GiB of it too",
        "incomplete  2 are not all here: hikae status names them",
        "note        the newest commit that was here: beta is asleep",
        "immutable   until 2026-11-29 12:15:00",
        "hook        before_freeze: done",
        f"digest      {'ab' * 32}",
    ] == out.splitlines()


def test_what_was_taken_and_of_what(tokyo: None, capfd: pytest.CaptureFixture[str]) -> None:
    """A note goes to stderr; a mark and pins in a sentence."""
    controls = FakeControls()
    controls.note = "the newest commit that was here: alpha: it is not connected"
    code, out, err = hikae(capfd, controls, "generations", "take", "web")
    assert (0, f"web: generation {NAME}, commit 3.1842, file-consistent\n", f"  {controls.note}\n") == (code, out, err)
    said = [
        hikae(capfd, controls, *words)[1]
        for words in (
            ("mark", "web", "deploy"),
            ("generations", "pin", "web", "latest"),
            ("generations", "unpin", "web", "latest"),
        )
    ]
    assert [
        "web: deploy is commit 3.1842, 2026-11-22 12:15:00\n",
        f"web: generation {NAME} is pinned: it stays until it is unpinned\n",
        f"web: generation {NAME} is no longer pinned: the rules decide\n",
    ] == said


def test_what_would_go_is_said_before_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    """A dry run says why each other stays; without a yes nothing goes, and nobody to ask is a refusal that says what to type."""
    controls = FakeControls()
    goes, stays = f"goes   {NAME}-2  no rule keeps it", f"stays  {NAME}    pinned; daily 1 of 30"
    code, out, _ = hikae(capfd, controls, "generations", "expire", "web", "--dry-run")
    assert (0, [stays, goes]) == (code, out.splitlines())
    code, out, err = hikae(capfd, controls, "generations", "expire", "web")
    assert (Exit.REFUSED, [goes], True) == (code, out.splitlines(), "--yes" in err)
    assert {("generations-expire", "web", True, False)} == set(controls.calls)
    code, out, _ = hikae(capfd, controls, "generations", "expire", "web", "--yes")
    assert (0, f"{goes}\nweb: 1 generation let go of, 1 stay\n") == (code, out)
    assert [("generations-expire", "web", dry, False) for dry in (True, False)] == controls.calls[-2:]
    code, out, err = hikae(capfd, controls, "generations", "expire", "web", "--yes", "--json")
    assert (0, f"{goes}\n", f"{NAME}-2") == (code, err, json.loads(out)["goes"][0]["generation"])
    controls.going = ({"generation": NAME, "why": "no rule keeps it", "label": "before-release"},)
    code, out, err = hikae(capfd, controls, "generations", "expire", "web", "--dry-run")
    assert (0, f"goes   {NAME}    no rule keeps it (before-release)") == (code, out.splitlines()[1])
    assert "hikae generations pin web GENERATION" in err
    controls.going = ()
    assert (0, "web: nothing would go\n", "") == hikae(capfd, controls, "generations", "expire", "web")


def test_a_calendar_of_what_is_kept_in_three_years(tokyo: None, capfd: pytest.CaptureFixture[str]) -> None:
    """A line a month, a figure a day, and how many each rule keeps."""
    code, out, err = hikae(capfd, FakeControls(), "generations", "expire", "web", "--simulate")
    assert (0, True) == (code, "how many of that day" in err)
    assert [
        "web: after three years of '0 * * * *', on 2029-11-28, 3 generations are kept",
        "  monthly 1, daily 2, hourly 1",
        "         1   5    10   15   20   25   30",
        "2029-11  ··1·······················11···",
    ] == out.splitlines()


def test_what_damage_hurts_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """By chunk, with files and generations, and whether it is back; 1 where something is lost."""
    controls = FakeControls()
    assert (0, "web: every chunk of all that can be brought back is as it should be (5.0 GiB read)\n", "") == hikae(
        capfd, controls, "generations", "verify", "web"
    )
    hurt = {"chunk": "ab" * 32, "reason": "it is torn", "paths": ["a/b"], "generations": [NAME]}
    controls.damaged = ({**hurt, "mended": True},)
    assert 0 == hikae(capfd, controls, "generations", "verify", "web", "latest")[0]
    controls.damaged = ({**hurt, "mended": False},)
    code, out, _ = hikae(capfd, controls, "generations", "verify", "web", "latest")
    assert (Exit.FAILED, True, True) == (code, f"generations: {NAME}" in out, "files: a/b" in out)


def test_a_group_is_taken_together(capfd: pytest.CaptureFixture[str]) -> None:
    """What was kept of each, and for how long all stood still; a list of datasets as JSON."""
    controls = FakeControls()
    code, out, _ = hikae(capfd, controls, "generations", "take", "--group", "shop")
    assert (0, f"disk: generation {NAME}, commit 3.1842, file-consistent") == (code, out.splitlines()[0])
    assert "group shop: all of one moment, for which nobody could write for 41 ms" == out.splitlines()[-1]
    code, out, _ = hikae(capfd, controls, "generations", "take", "--group", "shop", "--json")
    assert ["disk", "web"] == [one["dataset"] for one in json.loads(out)]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        ((), Exit.USAGE, "one of DATASET and --group G is needed, and only one"),
        (("web", "--group", "shop"), Exit.USAGE, "one of DATASET and --group G is needed, and only one"),
        (("--group", "shop", "--offline"), Exit.USAGE, "--offline stops the application of one dataset"),
        (("--group", "bank"), Exit.NOT_FOUND, "this node knows: shop"),
    ],
)
def test_a_group_that_is_named_wrongly(
    capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], exit_code: Exit, words: str
) -> None:
    """Nothing is asked of the agent."""
    code, _, err = hikae(capfd, FakeControls(), "generations", "take", *arguments)
    assert (exit_code, True) == (code, words in err)


def test_one_of_a_group_says_with_whom(capfd: pytest.CaptureFixture[str]) -> None:
    """In the list by a sign that is explained, and in full where one is shown."""
    controls = FakeControls()
    controls.listed = ({**LISTED, "together": f"shop/{NAME}", "pinned": False, "incomplete": 0},)
    _, out, err = hikae(capfd, controls, "generations", "list", "web")
    assert (True, True) == (" + " in out, "+ of one moment with the other datasets of group shop" in err)


def test_a_collection_and_what_one_would_do(tokyo: None, capfd: pytest.CaptureFixture[str]) -> None:
    """Each in lines of 80 columns."""
    code, out, _ = hikae(capfd, FakeControls(), "generations", "collect", "web", "--dry-run")
    assert (
        0,
        [
            "web: a collection now would free 5.0 MiB of the vault",
            "  1 pack would go whole: 1.0 MiB",
            "  2 packs would be rewritten: 4.0 MiB are dead in them, 512 KiB to be written",
            "  what came since 2026-11-21 12:15:00 is left for the next one",
        ],
    ) == (code, out.splitlines())
    code, out, _ = hikae(capfd, FakeControls(), "generations", "collect", "web")
    assert (
        0,
        [
            "web: 6,100 chunks (3.0 MiB) left the vault",
            "  3 packs went, 512 KiB written for that",
        ],
    ) == (code, out.splitlines())
