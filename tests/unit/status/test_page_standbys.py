"""What the page says of standbys, on either node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from agent.core.hold import Hold
from agent.core.ids import commit_number
from agent.core.problem import Severity
from agent.core.problem_codes import STANDBY_GONE
from agent.core.standing import NEVER, Pause, PeerStanding, Standing, Trouble
from agent.status.facts import FIRST_SYNC, NodeFacts, SyncFacts
from agent.status.for_peers import standing_of
from agent.status.page import dataset_page, status_page
from agent.status.page.cells import rows_of
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import A_COMMIT, MINUTE, NOW, a_dataset, a_node, a_peer, a_problem
from fakes.shown_page import below, lines

pytestmark = pytest.mark.usefixtures("utc")


def test_what_waits_for_an_operator_is_not_applied_now() -> None:
    """Received a second ago and held: the row says when the standby stood still."""
    held = a_peer(received_ns=NOW, applied_ns=NOW - 10**9, told=PeerStanding(Standing("held", Hold("c", "why")), NOW))
    assert lines(a_node(a_dataset(peers=(held,))))[2].split()[4:7] == ["now", "04:14:59", "!"]


def test_what_ends_replication_there_is_told_here() -> None:
    """A node whose disk fills, or whose certificate ends, says so to its peers; what both know by themselves it does not."""
    of_node = [a_problem("clock"), a_problem("disk-filling")]
    told = standing_of(a_dataset(role=Role.STANDBY), "alpha", of_node)
    assert (1, 0) == (told.warnings, told.errors)
    assert below(peers=(a_peer(told=PeerStanding(told, NOW)),)) == [
        "  beta says: disk-filling message.",
        "  On beta:  disk-filling remedy",
    ]


def test_a_remedy_that_names_its_node_stands_below_that_node() -> None:
    """Never below the node that shows it."""
    away = a_problem(
        "disconnected", Severity.ERROR, message="nothing listens", remedy="on beta-2: systemctl start hikae"
    )
    assert "  On beta-2:  systemctl start hikae" == below(peers=(), problems=(away,))[-1]


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("behind", "more is changed on alpha than arrives here."),
        ("catchup", "what was changed on alpha meanwhile is still on its way."),
    ],
)
def test_a_standby_that_does_not_keep_pace_says_so(mode: Literal["behind", "catchup"], sentence: str) -> None:
    """As its primary tells it, and where more is known."""
    told = standing_of(a_dataset(peers=(a_peer(mode=mode),)), "beta")
    here = a_dataset(role=Role.STANDBY, peers=(a_peer(name="alpha", told=PeerStanding(told, NOW)),))
    page = lines(a_node(here, node="beta"))
    assert page[1].split()[:1] + page[2].split()[:2] + page[3:5] == [
        "DATASET",
        "web",
        mode,
        f"  {sentence}",
        "  On alpha:  hikae status web (how much, and for how long)",
    ]


def test_a_standby_that_lacks_much_says_so_beside_another_first_sync() -> None:
    """The first sync is that of the third node, and no state of this one."""
    first = a_peer(name="gamma", mode="streaming", first_sync=SyncFacts(FIRST_SYNC, 1, 2))
    facts = a_dataset(peers=(a_peer(mode="catchup"), first), sync=SyncFacts(FIRST_SYNC, 1, 2))
    assert ["catchup", "first-sync"] == [standing_of(facts, name).state for name in ("beta", "gamma")]


def test_several_peers_have_a_row_each() -> None:
    """The dataset is named once; each row bears the state of its peer; a peer that lacks something is marked."""
    away = a_peer(name="delta", connected=False, mode="", received_ns=NOW - 9 * MINUTE, applied_ns=NOW - 9 * MINUTE)
    gamma = a_peer(name="gamma", mode="behind", received_ns=NOW - MINUTE, applied_ns=NOW - MINUTE)
    beta = a_peer(received_ns=NOW, applied_ns=NOW)
    assert lines(a_node(a_dataset(peers=(beta, gamma, away))))[2:5] == [
        "web      streaming     → beta   now         now         never     1.2 KiB",
        "         behind        → gamma  04:14:00 !  04:14:00 !  never",
        "         DISCONNECTED  → delta  04:06:00 !  04:06:00 !  never",
    ]


@pytest.mark.parametrize(
    ("more", "gammas", "expected"),
    [
        ({"reconciling": True}, {}, ["web reconciling", "streaming → beta", "streaming → gamma"]),
        (
            {"hold": Hold("root-gone", "why")},
            {"connected": False},
            ["web HELD", "streaming → beta", "DISCONNECTED → gamma"],
        ),
        ({"role": Role.FENCED}, {"connected": False}, ["web FENCED → beta", "→ gamma"]),
        ({}, {"first_sync": SyncFacts(FIRST_SYNC)}, ["web streaming → beta", "first-sync → gamma"]),
        ({"pauses": (Pause("send", None),)}, {"connected": False}, ["web streaming → beta", "paused → gamma"]),
        (
            {},
            {"told": PeerStanding(Standing("paused", pauses=(Pause("apply", NOW + 1),)), NOW)},
            ["web streaming → beta", "paused → gamma"],
        ),
        (
            {},
            {"told": PeerStanding(Standing("paused", pauses=(Pause("apply", NOW - 1),)), NOW)},
            ["web streaming → beta", "streaming → gamma"],
        ),
        ({}, {"told": PeerStanding(Standing("held", Hold("c", "why")), NOW)}, ["web streaming → beta", "HELD → gamma"]),
        ({}, {"told": PeerStanding(Standing("fenced"), NOW)}, ["web streaming → beta", "streaming → gamma"]),
    ],
)
def test_a_state_stands_beside_whom_it_is_of(more: dict[str, Any], gammas: dict[str, Any], expected: list[str]) -> None:
    """Beside the peer that it is true of; a state that is no peer's has a row of its own."""
    beta, gamma = a_peer(received_ns=NOW, applied_ns=NOW), a_peer(name="gamma", **gammas)
    rows = rows_of(*_first(a_node(a_dataset(peers=(beta, gamma), **{"time_ns": NOW, **more}))))
    assert expected == [" ".join(cell for cell in row[:3] if cell) for row in rows]


def _first(facts: NodeFacts) -> tuple[Any, Any]:
    status = status_json(facts)
    return status, status["datasets"][0]


def test_a_standby_says_what_it_has_itself() -> None:
    """The moment of its newest commit, and whether the tree is that."""
    peers = (a_peer(name="alpha"),)
    equal = a_dataset(role=Role.STANDBY, peers=peers, applied=A_COMMIT.number, applied_commit=A_COMMIT, watch=None)
    older = replace(A_COMMIT, number=commit_number(3, 1841), time=NOW - 3 * MINUTE, entries=300, bytes=2048)
    behind = replace(equal, applied=older.number, applied_commit=None)
    old = replace(equal, applied=older.number, applied_commit=older)
    gone = replace(old, hold=Hold(STANDBY_GONE, "why"))
    assert [lines(a_node(facts, node="beta"))[2] for facts in (equal, behind, old, gone)] == [
        "web      streaming  ← alpha  04:14:59  04:14:59  never     1.2 KiB       10",
        "web      streaming  ← alpha  04:14:59  not all !  never",
        "web      streaming  ← alpha  04:14:59  04:12:00 !  never     2.0 KiB      300",
        "web      HELD   ← alpha  04:14:59  gone !   never",
    ]


def test_the_long_form_says_how_a_standby_is_verified() -> None:
    """Where it never was; a primary has nothing of its own to verify."""
    roles = {role: a_node(a_dataset(role=role, peers=()), node="beta") for role in (Role.STANDBY, Role.PRIMARY)}
    pages = {
        role: dataset_page(value, value["datasets"][0], 80).plain
        for role, value in ((role, status_json(facts)) for role, facts in roles.items())
    }
    assert [True, False] == ["never since it was made here; hikae verify web" in page for page in pages.values()]


@pytest.mark.parametrize("code", ["vault-full", "state-disk-reserve", "state-disk-full"])
def test_a_standby_without_room_does_not_send_for_its_primary(code: str) -> None:
    """It refuses the calls itself: nobody is to look at the primary, or to promote."""
    peers = (a_peer(name="alpha", connected=False, mode="", since_ns=NOW - MINUTE),)
    full = a_problem(code, Severity.ERROR)
    facts = a_node(a_dataset(role=Role.STANDBY, peers=peers, problems=(full,), watch=None), node="beta")
    assert lines(facts)[3:] == [
        f"  {code} message (since 04:14).",
        f"  On beta:  {code} remedy",
        "  no connection with alpha since 04:14: its calls are refused until there is",
        "  room.",
    ]


@pytest.mark.parametrize("fenced", [False, True])
def test_who_was_left_behind_by_a_promotion_is_made_to_rejoin(fenced: bool) -> None:
    """Said once: where the old primary says so itself, it is said there."""
    nobody = a_problem("disconnected", Severity.ERROR, message="beta: nothing listens", remedy="on beta: start it")
    says = a_problem("disconnected", Severity.ERROR, message="beta: it is fenced", remedy="on beta: hikae rejoin web")
    peers = (a_peer(connected=False, mode="", left_behind=True),)
    expected = [
        "  beta has not followed since this node was promoted.",
        "  On beta:  hikae rejoin web once its agent runs (what only it has is kept",
        "  first)",
    ]
    found = below(peers=peers, link_problems=(says if fenced else nobody,))[2:]
    assert ([] if fenced else expected) == found


def test_a_standby_that_is_not_there_has_nothing_applied() -> None:
    """On both nodes: that it equalled a commit before is of no use to anybody."""
    hold = Hold("standby-gone", "the standby's directory is gone", "mount its filesystem again")
    there = status_page(status_json(a_node(a_dataset(role=Role.STANDBY, hold=hold))), 80).plain
    told = PeerStanding(Standing("held", hold), NOW)
    here = status_page(status_json(a_node(a_dataset(peers=(a_peer(told=told, applied_ns=NOW),)))), 80).plain
    assert (True, True) == ("gone !" in there, "gone !" in here)


def test_a_device_that_does_not_stand_still_was_not_started_anew() -> None:
    """On either node: its problem says why its newest commit is of no one moment."""
    still = a_problem("not-still", Severity.WARNING)
    said = a_peer(
        name="alpha",
        told=PeerStanding(Standing("inconsistent", warnings=1, worst=Trouble("not-still", "cannot freeze", "x")), NOW),
    )
    for more in (
        {"problems": (still,), "inconsistent": True},
        {"role": Role.STANDBY, "peers": (said,), "inconsistent": True},
    ):
        told = " ".join(below(**more))
        assert "the newest commit is of no one moment" in told
        assert "started anew" not in told


def test_a_device_that_is_committed_seldom_says_no_word_of_the_link() -> None:
    """All of what is committed arrives."""
    busy = Trouble("device-busy", "it is written faster than it is read", "allow more")
    said = a_peer(name="alpha", mode="", told=PeerStanding(Standing("behind", warnings=1, worst=busy), NOW))
    told = " ".join(below(role=Role.STANDBY, peers=(said,)))
    assert "committed less often than it ought to be" in told
    assert "than arrives here" not in told


def test_the_first_sync_of_a_standby_is_no_moment_of_its_primary() -> None:
    """It has commits by then, and what they hold is a part."""
    going = a_dataset(role=Role.STANDBY, sync=SyncFacts(FIRST_SYNC, 1 << 30, 4 << 30, 0, 9, 60.0))
    assert " partly    partly " in lines(a_node(going))[2]
    assert "no complete copy yet" in " ".join(lines(a_node(going)))


def test_a_limit_is_to_be_raised_above_what_changes() -> None:
    """Which key, and how far."""
    peer = a_peer(
        mode="behind", behind_bytes=9, rate=1e5, change_rate=7.95e5, forecast_seconds=NEVER, rate_limit=100_000
    )
    typed = "  On alpha:  raise the rate of steady in [dataset.limits] above 795 kB/s, then:"
    assert typed in below(peers=(peer,))


def test_what_is_not_open_is_not_told_as_nothing() -> None:
    """What it has is not known, on both pages; its problem leads on, and neither the other node nor a promotion."""
    why = a_problem("not-running", Severity.ERROR, message="cannot open the dataset (web)", remedy="put it right there")
    peers = (a_peer(name="alpha", connected=False, mode="", lag_seconds=None),)
    closed = a_dataset(
        role=Role.STANDBY, opened=False, commit=None, epoch=0, peers=peers, watch=None, problems=(why,), group=None
    )
    page = lines(a_node(closed, node="beta"))
    assert ["web", "DISCONNECTED", "←", "alpha", "?", "?", "never"] == page[2].split()
    long = dataset_page(*_first(a_node(closed, node="beta")), 200).plain
    assert "standby on beta ← alpha; not open\n" in long
    for one in ("\n".join(page), long):
        unsaid = ("promote", "hikae status", "nothing  ", "epoch", "it is not open here", "put it right there")
        assert list(unsaid[:4]) == [words for words in unsaid if words not in one]


def test_what_is_compared_in_a_first_sync_is_of_no_moment() -> None:
    """A crash in its midst: the comparing is its progress, and what is applied is a part still."""
    facts = a_dataset(
        role=Role.STANDBY, peers=(a_peer(name="alpha"),), applied=A_COMMIT.number, redo=True, first_sync=True
    )
    facts = replace(facts, sync=SyncFacts("redo", 1, 2))
    page = lines(a_node(facts, node="beta"))
    assert ["web", "redo", "←", "alpha", "partly", "partly"] == page[2].split()[:6]
