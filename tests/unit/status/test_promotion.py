"""What a promotion would be: as JSON, as lines, and when it is worth telling anew."""

from __future__ import annotations

import pytest

from agent.status.page.promotion import promotion_lines
from agent.status.promotion import Gate, LossFacts, PromotionFacts, Rto, promotion_json, without_ages
from agent.status.public import public_json
from agent.status.published import status_json
from fakes.api_fakes import NOW, a_dataset, a_node

MET = Gate("hold", True, "nothing is held", "none", NOW, "")
PRIMARY = Gate("primary", False, "alpha is connected", "alpha does not answer", NOW, "hikae switchover web")
OWED = Gate("owed", False, "7 files are not all here", "0", NOW, "--force goes without them")
LOSS = LossFacts(((b"a\n", 10), (b"b", 2_038)), 2, 2_048, 1.5)
RTO = Rto(300, 100)


def told(*gates: Gate, loss: LossFacts = LOSS, rto: Rto | None = RTO) -> list[tuple[str, str]]:
    """The lines of a long form."""
    found = promotion_json(PromotionFacts(gates, loss, rto))
    assert found is not None
    return promotion_lines(status_json(a_node()), found)


def test_the_shape_that_programs_rely_on() -> None:
    """Gates with each key of the contract, and the loss by path and size, count, bytes and seconds."""
    assert {
        "gates": [
            {
                "name": "owed",
                "ok": False,
                "value": "7 files are not all here",
                "limit": "0",
                "measured": "2026-11-22T04:15:00.000000Z",
                "remedy": "--force goes without them",
            }
        ],
        "loss": {"paths": ["a\\n", "b"], "sizes": [10, 2_038], "count": 2, "bytes": 2_048, "seconds": 1.5},
        "rto_ms": 400,
        "rto_hooks_ms": 100,
    } == promotion_json(PromotionFacts((OWED,), LOSS, RTO))


def test_what_anybody_may_read_names_no_path() -> None:
    """Paths are counted. Of the gates names and verdicts stay, and what it says in figures of its own; a hold may quote."""
    hold = Gate("hold", False, "/secret became empty", "none", None, "look at /secret")
    value = status_json(a_node(a_dataset(promotion=PromotionFacts((OWED, hold), LOSS, RTO))))
    found = public_json(value)["datasets"][0]["promotion"]
    assert (2, 2) == (found["loss"]["paths"], found["loss"]["sizes"])
    assert (2, ["7 files are not all here", "not met"], ["owed", "hold"], False) == (
        found["loss"]["paths"],
        [gate["value"] for gate in found["gates"]],
        [gate["name"] for gate in found["gates"]],
        "secret" in str(found),
    )


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ((MET,), "all 1 gates are met"),
        ((MET, PRIMARY), "1 of 2 gates are met; the last is that its primary is gone"),
        ((MET, PRIMARY, OWED), "1 of 3 gates are met; in the way:"),
    ],
)
def test_the_first_line_says_whether_it_may_be(gates: tuple[Gate, ...], expected: str) -> None:
    """A primary that lives is no defect of the standby."""
    assert ("promote", expected) == told(*gates)[0]


def test_lines_name_what_stands_in_the_way_and_what_is_lost() -> None:
    """With what to type, and what it costs."""
    assert [
        ("", "owed: 7 files are not all here (asked for: 0); --force goes without them"),
        (
            "",
            "at most the last 1.5 s would be lost, and 2 announced changes (2.0 KiB); "
            "it would take about 400 ms, 100 ms of it the hooks, as last time",
        ),
        ("", "announced, and not here: a\\n (10 bytes)"),
        ("", "announced, and not here: b (2.0 KiB)"),
        ("", "met: hold: nothing is held (asked for: none)"),
    ] == told(MET, OWED)[1:]
    assert (
        "",
        "what would be lost is not known; it would take about 400 ms, 100 ms of it the hooks, as last time",
    ) == told(MET, loss=LossFacts())[1]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (LossFacts(((b"a", 0),), 1, 0, 1.0), "1 announced change;"),
        (LossFacts((), 1, 0, 1.0), "1 announced change of unknown size;"),
        (LossFacts(((b"a", 2048),), 3, 2048, 1.0), "3 announced changes (2.0 KiB);"),
    ],
)
def test_a_change_has_a_size_only_where_that_is_known(loss: LossFacts, expected: str) -> None:
    """A device's, and a directory's, is announced without one."""
    assert expected in f"{told(MET, loss=loss)[1][1]};"


def test_only_the_first_of_what_is_lost_are_named() -> None:
    """Of the others there is a count, and what names them."""
    loss = LossFacts(tuple((b"f%d" % number, 1024) for number in range(5)), 9, 9_216, 1.0)
    lines = [line for _, line in told(MET, loss=loss)[2:-1]]
    named = [f"announced, and not here: f{number} (1.0 KiB)" for number in range(3)]
    assert [*named, "and 6 more: hikae promote --dry-run names them"] == lines


def test_time_alone_is_no_news() -> None:
    """Ages that grow are not told anew each second; a gate that falls is."""

    def rough(gate: Gate, seconds: float) -> object:
        return without_ages(promotion_json(PromotionFacts((gate,), LossFacts(seconds=seconds))))

    young = Gate("lag", True, "0.2 s, as alpha said 3 s ago", "30 s", NOW, "")
    old = Gate("lag", True, "0.2 s, as alpha said 12 s ago", "30 s", NOW + 9, "")
    assert rough(young, 0.3) == rough(old, 5.0)
    assert rough(young, 0.3) != rough(young, 3_000.0)
    assert rough(young, 0.3) != rough(Gate("lag", False, young.value, "30 s", NOW, ""), 0.3)


@pytest.mark.parametrize(
    ("rto", "expected"),
    [
        (Rto(300), "; it would take about 300 ms, and the hooks, which never ran here"),
        (Rto(300, 0), "; it would take about 300 ms"),
        (None, ""),
    ],
)
def test_what_is_not_known_of_the_time_is_said(rto: Rto | None, expected: str) -> None:
    """Programs that never ran are not counted as nothing."""
    found = told(MET, loss=LossFacts(seconds=1.5), rto=rto)[1][1]
    assert f"at most the last 1.5 s would be lost{expected}" == found
