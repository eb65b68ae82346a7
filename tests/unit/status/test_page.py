"""The pages that people read, at 80 columns where nothing else is said."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from agent.core.hold import Hold
from agent.core.ids import commit_number
from agent.core.kept import VaultCheck, VaultFacts, VaultVerified
from agent.core.problem import Severity
from agent.core.problem_codes import STANDBY_GONE
from agent.core.standing import NEVER, Pause, PeerStanding, Standing, Trouble, Verified
from agent.status.facts import FIRST_SYNC, DiskFacts, NodeFacts, SyncFacts, WatchFacts
from agent.status.for_peers import standing_of
from agent.status.page import dataset_page, status_page
from agent.status.page.cells import rows_of
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import A_COMMIT, MINUTE, NOW, a_dataset, a_node, a_peer, a_problem

pytestmark = pytest.mark.usefixtures("utc")


def lines(facts: NodeFacts, width: int = 80) -> list[str]:
    """The page as plain text."""
    return status_page(status_json(facts), width).plain.split("\n")


def below(**more: Any) -> list[str]:
    """What stands below the rows of one dataset."""
    facts = a_node(a_dataset(**more))
    return lines(facts)[2 + len(facts.datasets[0].peers) :]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"hold": Hold("held", "the source is empty")},
            [
                "  the source is empty; the standby stays as it stands.",
                "  If it was not meant, on alpha:  hikae rollback web --at TIME (before that)",
                "  If it was, on alpha:  hikae accept web",
            ],
        ),
        (
            {"hold": Hold("mass-deletion", "9 of 10 deleted", generation="20261122T040000Z-2")},
            [
                "  9 of 10 deleted; the standby stays as it stands.",
                "  If it was not meant, on alpha:",
                "  hikae rollback web --generation 20261122T040000Z-2 (before that)",
                "  If it was, on alpha:  hikae accept web",
            ],
        ),
        ({"pauses": (Pause("send", NOW),)}, ["  sending is paused until 04:15.", "  On alpha:  hikae resume web"]),
        (
            {"pauses": (Pause("send", NOW, "ann (uid 7)"),)},
            ["  sending is paused by ann (uid 7) until 04:15.", "  On alpha:  hikae resume web"],
        ),
        (
            {"sync": SyncFacts(FIRST_SYNC, 1 << 30, 4 << 30, 12_000, 50_000, 125.0)},
            ["  first sync: 25 %, 1.0 GiB of 4.0 GiB, 12,000 of 50,000 entries, about 2 min", "  5 s left."],
        ),
        (
            {
                "peers": (a_peer(first_sync=SyncFacts(FIRST_SYNC)),),
                "sync": SyncFacts(FIRST_SYNC, 1 << 30, 4 << 30, 0, 9, 60.0),
            },
            [
                "  first sync: 25 %, 1.0 GiB of 4.0 GiB, 9 entries, about 1 min 0 s left; beta",
                "  cannot take over before that.",
            ],
        ),
        (
            {
                "peers": (
                    a_peer(told=PeerStanding(Standing("held", Hold("c", "9 of 10 deleted", "hikae accept web")), NOW)),
                )
            },
            ["  beta is held: 9 of 10 deleted.", "  On beta:  hikae accept web"],
        ),
        (
            {"peers": (a_peer(told=PeerStanding(Standing("paused", pauses=(Pause("apply", NOW),)), NOW - 1)),)},
            [
                "  applying is paused on beta until 04:15; changes are received and kept",
                "  meanwhile.",
                "  On beta:  hikae resume web",
            ],
        ),
        (
            {
                "peers": (
                    a_peer(told=PeerStanding(Standing("degraded", errors=2, worst=Trouble("c", "full", "free")), NOW)),
                )
            },
            ["  beta says: full, and 1 more there.", "  On beta:  free"],
        ),
        (
            {"peers": (a_peer(connected=False, mode="", behind_bytes=5 << 20),)},
            [
                "  no connection with beta since 04:15.",
                "  On beta:  systemctl status hikae: does its agent run? Is its port open?",
                "  what was written is on alpha only (5.0 MiB); it is sent once beta is",
                "  connected.",
            ],
        ),
        ({"peers": (a_peer(mode="catchup", behind_bytes=2048),)}, ["  beta is 2.0 KiB behind."]),
        (
            {
                "peers": (
                    a_peer(),
                    a_peer(
                        name="gamma",
                        mode="behind",
                        behind_bytes=3 << 30,
                        rate=1.1e6,
                        change_rate=4.0e6,
                        forecast_seconds=NEVER,
                    ),
                )
            },
            [
                "  gamma is 3.0 GiB behind: 1.1 MB/s arrive there, 4 MB/s change here, it never",
                "  catches up at this rate.",
            ],
        ),
        (
            {"peers": (a_peer(mode="catchup", behind_bytes=3 << 30, rate=1.1e6, change_rate=4.0e6),)},
            ["  beta is 3.0 GiB behind: 1.1 MB/s arrive there, 4 MB/s change here, how long is", "  not known yet."],
        ),
        (
            {"peers": (a_peer(mode="behind", behind_bytes=3 << 30, rate=1.1e6, forecast_seconds=7300.0),)},
            ["  beta is 3.0 GiB behind: 1.1 MB/s arrive there, 0 B/s change here, about 2 h", "  1 min left."],
        ),
        (
            {
                "peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="first_sync"),),
                "sync": SyncFacts(FIRST_SYNC, 1 << 30),
            },
            ["  first sync: 1.0 GiB there, counting what there is.", "  first sync waits until 05:15."],
        ),
        (
            {"peers": (a_peer(behind_bytes=2048, rate_limit=80_000_000, limited_by="first_sync"),)},
            ["  limited to 80 MB/s ([dataset.limits] on alpha)."],
        ),
        (
            {"peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="steady"),), "watch": None},
            ["  sending waits until 05:15."],
        ),
        (
            {
                "peers": (a_peer(rate_limit=2_000_000, limited_by="steady"), a_peer(name="gamma", mode="catchup")),
            },
            ["  gamma is 0 bytes behind.", "  beta: limited to 2 MB/s ([dataset.limits] on alpha)."],
        ),
        (
            {
                "peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="steady"),),
                "problems": (a_problem(path=b"x"),),
            },
            [
                "  sending waits until 05:15.",
                "  x: unreadable message (since 04:14).",
                "  On alpha:  unreadable remedy",
            ],
        ),
        (
            {
                "problems": (a_problem(path=b"x"), a_problem("watch"), a_problem("socket-skipped", Severity.INFO)),
                "uncounted": {"u": 4},
            },
            [
                "  x: unreadable message (since 04:14).",
                "  On alpha:  unreadable remedy",
                "  watch message (since 04:14).",
                "  On alpha:  watch remedy",
            ],
        ),
    ],
)
def test_each_state_says_what_matters(more: dict[str, object], expected: list[str]) -> None:
    """Below the row stands what an operator needs in it: what is so, since when, and what to type where."""
    assert expected == below(**more)


def test_the_page_of_the_contract() -> None:
    """Worst first; a held dataset says why, on which node, and what to type there; the foot has disk and certificates."""
    told = Standing(
        "held", Hold("brake", "a mass deletion: 1,818 of 1,830 entries since 21:41:40", "hikae accept mail")
    )
    peer = a_peer(received_ns=NOW, applied_ns=NOW - 3 * MINUTE, told=PeerStanding(told, NOW))
    good = a_peer(received_ns=NOW, applied_ns=NOW)
    facts = a_node(
        a_dataset(peers=(good,), last_verify=Verified(NOW - 60 * MINUTE, True, True, 0)),
        a_dataset("mail", peers=(peer,)),
        disks=(
            DiskFacts("/var/lib/hikae", 74 << 30, 252 << 30, 1 << 30, NOW + 5 * 60 * MINUTE),
            DiskFacts("/big", 1 << 50, 1 << 50, 1 << 30),
        ),
        certificate_until_ns=NOW + 10**17,
    )
    assert lines(facts) == [
        "alpha  hikae 0.1.0                                                  Sun 04:15:00",
        "DATASET  STATE      PEER    RECEIVED  APPLIED     VERIFIED     SIZE  ENTRIES",
        "mail     HELD       → beta  now       04:12:00 !  never     1.2 KiB       10",
        "  beta is held: a mass deletion: 1,818 of 1,830 entries since 21:41:40.",
        "  On beta:  hikae accept mail",
        "web      streaming  → beta  now       now         03:15 ok  1.2 KiB       10",
        "alpha's own: /var/lib/hikae: 74.0 GiB free of 252 GiB, down to its reserve about",
        "09:15 at this rate; certificate until 2030-01-22",
    ]


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


def test_an_error_is_worse_than_a_pause_that_was_asked_for() -> None:
    """Whatever their states are called."""
    trouble = a_dataset("web", problems=(a_problem(severity=Severity.ERROR),))
    page = lines(a_node(a_dataset("mail", pauses=(Pause("apply", None),)), trouble, a_dataset("a")))
    assert [line.split()[0] for line in page if line.startswith(("a ", "mail ", "web "))] == ["web", "mail", "a"]


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


def test_problems_of_one_kind_are_one_notice() -> None:
    """The first paths and how many more; beyond three notices the long form is named."""
    problems = (
        *(a_problem(path=b"f%d" % number) for number in range(6)),
        *(a_problem(code) for code in ("watch", "displaced", "owed")),
        a_problem("socket-skipped", Severity.INFO),
    )
    assert below(problems=problems, uncounted={"unreadable": 100})[:2] + below(problems=problems)[-1:] == [
        "  f0: unreadable message (since 04:14, also f1, f2, and 103 more such).",
        "  On alpha:  unreadable remedy",
        "  And 1 more:  hikae status web",
    ]


def test_what_a_node_needs_names_the_one_dataset() -> None:
    """Of several nobody knows which."""
    filling = replace(a_problem("disk-filling"), remedy="hikae generations expire DATASET --dry-run")
    one, two = (a_node(*sets, problems=(filling,)) for sets in ((a_dataset(),), (a_dataset(), a_dataset("mail"))))
    assert "  hikae generations expire web --dry-run" in "\n".join(lines(one))
    assert "  hikae generations expire DATASET --dry-run" in "\n".join(lines(two))


def test_a_lesser_watcher_is_named_with_the_reason() -> None:
    """Which one is in force, and why not a better one."""
    watch = WatchFacts("inotify", "fanotify cannot be used: it needs root", 0, 0, 0, None)
    assert below(watch=watch) == ["  watched by inotify: fanotify cannot be used: it needs root."]
    assert [[], []] == [below(watch=replace(watch, kind=best)) for best in ("fanotify", "blocktrace")]


def test_who_waits_for_a_call_is_not_sent_to_the_other_port() -> None:
    """A standby without its primary sends the operator to the node that calls, which is told why it cannot."""
    peers = (a_peer(name="alpha", connected=False, mode="", since_ns=NOW - MINUTE),)
    facts = replace(a_node(a_dataset(role=Role.STANDBY, peers=peers, watch=None)), node="beta")
    assert lines(facts)[3:] == [
        "  no connection with alpha since 04:14.",
        "  On alpha:  hikae status (it says why: alpha is the one that calls)",
        "  If alpha is lost, on beta:  hikae promote web --dry-run (whether it can take",
        "  over, and what would be lost)",
    ]


def test_what_was_in_the_way_of_a_peer_is_not_forgotten_with_its_link() -> None:
    """A hold there is told with its hour while sending is paused, and while the peer is away."""
    told = PeerStanding(Standing("held", hold=Hold("held", "the source became empty", "")), NOW - MINUTE)
    peers = (a_peer(connected=False, mode="", told=told, since_ns=NOW - MINUTE),)
    heard = "beta was held when last heard, 04:14: the source"
    assert (below(peers=peers, pauses=(Pause("send", None),))[2], below(peers=peers)[0]) == (
        f"  {heard} became empty.",
        "  no connection with beta since 04:14; beta was held when last heard, 04:14: the",
    )


def test_a_link_problem_is_the_lost_connection() -> None:
    """It is not told twice."""
    trouble = a_problem("disconnected", Severity.ERROR, message="beta: connection refused", remedy="start it")
    assert below(peers=(a_peer(connected=False, mode=""),), link_problems=(trouble,)) == [
        "  beta: connection refused (since 04:14).",
        "  On alpha:  start it",
    ]


def test_the_cause_comes_before_what_follows_from_it() -> None:
    """What only this node has stands behind why the peer does not take it."""
    trouble = a_problem("disconnected", Severity.ERROR, message="beta: its vault is full", remedy="on beta: make room")
    away = a_peer(connected=False, mode="", behind_bytes=5 << 20)
    assert below(peers=(away,), link_problems=(trouble,)) == [
        "  beta: its vault is full (since 04:14).",
        "  On beta:  make room",
        "  what was written is on alpha only (5.0 MiB); it is sent once beta is",
        "  connected.",
    ]


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


def test_unconfirmed_says_by_whom_and_what_goes_on() -> None:
    """Who has not answered, and why as far as known."""
    trouble = a_problem("disconnected", Severity.ERROR, message="beta: nothing listens", remedy="start it")
    peers = (a_peer(connected=False, mode=""),)
    assert below(unconfirmed=True, peers=peers, link_problems=(trouble,)) == [
        "  beta has not confirmed that no other node was made primary; changes are",
        "  recorded meanwhile.",
        "  beta: nothing listens (since 04:14).",
        "  On alpha:  start it",
    ]


def test_no_terminal_is_moved_by_a_name() -> None:
    """Escape sequences in messages and names are text, also in colour, and a line stays a line."""
    bad = "\x1b]0;owned\x07\x1b[2J\n\u202e"
    facts = a_node(
        a_dataset(hold=Hold(bad, bad, bad), peers=(a_peer(name=bad),), standbys=(bad,)),
        problems=(a_problem(message=bad, remedy=bad),),
    )
    status = status_json(facts)
    for page in (status_page(status, 500), dataset_page(status, status["datasets"][0], 500)):
        out = StringIO()
        Console(file=out, force_terminal=True, color_system="standard", width=500, highlight=False).print(
            page, soft_wrap=True
        )
        assert page.plain.count("\n") + 1 == out.getvalue().count("\n")
        for harmful in ("\x1b]", "\x1b[2J", "\x07", "\u202e"):
            assert harmful not in out.getvalue()


def test_colour_on_a_terminal() -> None:
    """A streaming dataset is green."""
    out = StringIO()
    Console(file=out, force_terminal=True, color_system="standard", highlight=False).print(
        status_page(status_json(a_node(a_dataset())), 80), soft_wrap=True
    )
    assert "\x1b[32mstreaming" in out.getvalue()


def test_no_datasets() -> None:
    """An empty configuration says what to do."""
    assert lines(a_node())[1:] == ["no datasets: add [[dataset]] to the configuration, then: hikae reload"]


_NAMES = st.text(min_size=1, max_size=300)


@given(width=st.integers(40, 220), names=st.lists(_NAMES, min_size=1, max_size=6), path=st.binary(max_size=600))
def test_no_line_is_wider_than_the_terminal(width: int, names: list[str], path: bytes) -> None:
    """Whatever datasets, peers and files are called; the long form too."""
    datasets = [
        a_dataset(name, peers=(a_peer(name=name), a_peer(name="b")), problems=(a_problem(path=path),)) for name in names
    ]
    status = status_json(a_node(*datasets, node=names[0]))
    pages = [status_page(status, width), *(dataset_page(status, one, width) for one in status["datasets"])]
    assert [line for page in pages for line in page.plain.split("\n") if cell_len(line) > width] == []


def test_the_long_form_says_all() -> None:
    """What JSON holds of one dataset, in sentences."""
    verified = Verified(NOW - 60 * MINUTE, True, True, 0)
    peer = a_peer(
        received_ns=NOW, applied_ns=NOW - MINUTE, told=PeerStanding(Standing("streaming", verified=verified), NOW)
    )
    status = status_json(a_node(a_dataset(peers=(peer,), problems=(a_problem("socket-skipped", Severity.INFO, b"x"),))))
    assert dataset_page(status, status["datasets"][0], 80).plain.split("\n")[1:] == [
        "web  streaming",
        "state       streaming since 04:10",
        "role        primary on alpha → beta, epoch 3; it serves; group shop",
        "path        /srv/web (tree)",
        "newest      commit 3.1842 of 04:14:59: 1.2 KiB in 10 entries; consistent",
        "digest      000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "peer        beta 0.1.0; streaming since 04:15; received all before 04:15:00;",
        "            applied all before 04:14:00; durable 3.1842, applied 3.1841 there;",
        "            lag 21 ms; says of itself: streaming (said first at 04:15:00);",
        "            verified 03:15: equal (to the last byte)",
        "watch       fanotify; 17 changes found by events, 2 by looking; last look at",
        "            everything 03:45",
        "",
        "Remarks",
        "  - x: socket-skipped message (since 04:14). [info socket-skipped]",
        "    On alpha:  socket-skipped remedy",
    ]


def test_the_long_page_says_what_the_vault_takes() -> None:
    """Its size, what that holds, how fast it grows, and until when that goes well; nothing while nothing is known."""
    day = 86_400 * 10**9
    facts = a_node(a_dataset(vault=VaultFacts(12 << 30, 20 << 30, 3.21, 1 << 30, NOW + 8 * day)))
    status = status_json(facts)
    text = " ".join(dataset_page(status, status["datasets"][0], 200).plain.split())
    assert (
        "vault 12.0 GiB of 20.0 GiB; what can be brought back by name is 3.2 times that; grows by 1.0 GiB a day; full"
        in text
    )
    fresh = status_json(a_node(a_dataset(vault=VaultFacts(12 << 30, None, None, None, None))))
    assert "vault" not in dataset_page(fresh, fresh["datasets"][0], 200).plain


def test_the_long_page_says_how_old_the_check_of_the_vault_is() -> None:
    """And what it found; nothing where nothing was ever read."""
    hour = 3600 * 10**9
    last = VaultCheck(NOW - hour, 5 << 30, 2, 1)
    found = [
        chunks_line(VaultVerified(since, damaged, last))
        for since, damaged in ((None, 0), (NOW - 30 * 24 * hour, 0), (NOW - 30 * 24 * hour, 1))
    ]
    assert [True, True, True] == [
        found[0].startswith("not all read and checked yet; last "),
        found[0].endswith(", 5.0 GiB (2 damaged, 1 put back); none known to be lost"),
        found[1].startswith("all read and checked since "),
    ]
    assert (True, "") == (found[2].endswith("; 1 lost"), chunks_line(VaultVerified(None, 0, None)))


def chunks_line(verified: VaultVerified) -> str:
    """What the page of a dataset says of its vault's chunks."""
    vault = VaultFacts(12 << 30, None, None, None, None, verified)
    status = status_json(a_node(a_dataset(vault=vault)))
    lines = dataset_page(status, status["datasets"][0], 200).plain.splitlines()
    return next((line.removeprefix("chunks").strip() for line in lines if line.startswith("chunks")), "")


def test_a_standby_that_is_not_there_has_nothing_applied() -> None:
    """On both nodes: that it equalled a commit before is of no use to anybody."""
    hold = Hold("standby-gone", "the standby's directory is gone", "mount its filesystem again")
    there = status_page(status_json(a_node(a_dataset(role=Role.STANDBY, hold=hold))), 80).plain
    told = PeerStanding(Standing("held", hold), NOW)
    here = status_page(status_json(a_node(a_dataset(peers=(a_peer(told=told, applied_ns=NOW),)))), 80).plain
    assert (True, True) == ("gone !" in there, "gone !" in here)


def test_what_goes_on_is_named() -> None:
    """A verify by its progress; a redo also on the primary, where nobody knows what is applied meanwhile."""
    verifies = status_json(a_node(a_dataset(sync=SyncFacts("verify", 5, 10, 1, 2))))
    assert "  verifying: 50 %, 5 bytes of 10 bytes, 1 of 2 entries." in status_page(verifies, 80).plain.splitlines()
    peer = a_peer(told=PeerStanding(Standing("redo"), NOW), applied_ns=NOW, received_ns=NOW)
    lines = status_page(status_json(a_node(a_dataset(peers=(peer,)))), 80).plain.splitlines()
    row = next(line for line in lines if line.startswith("web"))
    assert ["web", "redo", "→", "beta", "now", "?"] == row.split()[:6]
    assert "  beta: it is not known what of the standby is as it should be; all of it is" in lines
