"""The pages that people read, at 80 columns where nothing else is said."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from agent.core.hold import Hold
from agent.core.kept import VaultCheck, VaultFacts, VaultVerified
from agent.core.problem import Severity
from agent.core.standing import NEVER, Pause, PeerStanding, Standing, Trouble, Verified
from agent.status.facts import FIRST_SYNC, DiskFacts, SyncFacts
from agent.status.page import dataset_page, status_page
from agent.status.published import status_json
from fakes.api_fakes import MINUTE, NOW, a_dataset, a_node, a_peer, a_problem
from fakes.shown_page import below, lines

pytestmark = pytest.mark.usefixtures("utc")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"hold": Hold("held", "the source is empty")},
            [
                "  the source is empty; the standby stays as it stands.",
                "  If it was not meant, back to just before it, on alpha:",
                "  hikae rollback web --at TIME",
                "  If it was, on alpha:  hikae accept web",
            ],
        ),
        (
            {"hold": Hold("mass-deletion", "9 of 10 deleted", generation="20261122T040000Z-2")},
            [
                "  9 of 10 deleted; the standby stays as it stands.",
                "  If it was not meant, back to just before it, on alpha:",
                "  hikae rollback web --generation 20261122T040000Z-2",
                "  If it was, on alpha:  hikae accept web",
            ],
        ),
        (
            {"pauses": (Pause("send", NOW),)},
            ["  sending is paused until 04:15, then it goes on by itself.", "  On alpha:  hikae resume web"],
        ),
        (
            {"pauses": (Pause("send", NOW, "ann (uid 7)"),)},
            [
                "  sending is paused by ann (uid 7) until 04:15, then it goes on by itself.",
                "  On alpha:  hikae resume web",
            ],
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
                "  has no complete copy yet and cannot take over until then.",
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
                "  applying is paused on beta until 04:15, then it goes on by itself; changes are",
                "  received and kept meanwhile.",
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
            {"peers": (a_peer(connected=False, mode="", behind_bytes=5 << 20, behind_known=False),)},
            [
                "  no connection with beta since 04:15.",
                "  On beta:  systemctl status hikae: does its agent run? Is its port open?",
            ],
        ),
        (
            {"peers": (a_peer(connected=False, mode="", behind_bytes=9, behind_known=False, received_ns=NOW),)},
            [
                "  no connection with beta since 04:15.",
                "  On beta:  systemctl status hikae: does its agent run? Is its port open?",
                "  what was written since 04:15:00 is on alpha only (9 bytes so far); it is sent",
                "  once beta is connected.",
            ],
        ),
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
                "  gamma is 3.0 GiB behind: 1.1 MB/s arrive there, 4 MB/s change here, gamma",
                "  never catches up at this rate.",
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
            ["  first sync: 1.0 GiB there, of how much is not known yet.", "  first sync waits until 05:15."],
        ),
        (
            {"peers": (a_peer(first_sync=SyncFacts(FIRST_SYNC)),), "sync": SyncFacts(FIRST_SYNC, 0, 0, 0, 200)},
            [
                "  first sync: 0 bytes of 0 bytes, 200 entries; beta has no complete copy yet and",
                "  cannot take over until then.",
            ],
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


def test_what_goes_on_is_named() -> None:
    """A verify by its progress; a redo also on the primary, where nobody knows what is applied meanwhile."""
    verifies = status_json(a_node(a_dataset(sync=SyncFacts("verify", 5, 10, 1, 2))))
    assert "  verifying: 50 %, 5 bytes of 10 bytes, 1 of 2 entries." in status_page(verifies, 80).plain.splitlines()
    peer = a_peer(told=PeerStanding(Standing("redo"), NOW), applied_ns=NOW, received_ns=NOW)
    lines = status_page(status_json(a_node(a_dataset(peers=(peer,)))), 80).plain.splitlines()
    row = next(line for line in lines if line.startswith("web"))
    assert ["web", "redo", "→", "beta", "now", "?"] == row.split()[:6]
    assert "  beta: it is not known what of the standby is as it should be; all of it is" in lines
