"""The lines that people read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from agent.core.problem import Severity
from agent.core.standing import NEVER, Hold, Pause, PeerStanding, Standing, Trouble
from agent.status.facts import FIRST_SYNC, DatasetFacts, NodeFacts, SyncFacts, WatchFacts
from agent.status.lines import status_lines
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import MINUTE, NOW, a_dataset, a_node, a_peer, a_problem


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC, so that texts are known."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def lines(facts: NodeFacts) -> str:
    """As plain text."""
    return status_lines(status_json(facts)).plain


def one(**more: Any) -> str:
    """The line of one dataset, its name, way and gap left off."""
    return lines(a_node(a_dataset(**more))).removeprefix("web   primary on alpha → beta   ")


def test_the_two_lines_of_the_contract() -> None:
    """Worst first; a held line says what to do, a streaming one its lag, watcher and commit."""
    hold = "1,204 of 1,310 files deleted since 02:14"
    remedy = "hikae accept mail, or hikae rollback mail --at 02:13"
    held = a_dataset(
        "mail",
        hold=Hold("mass-deletion", hold, remedy),
        problems=(a_problem("mass-deletion", Severity.ERROR, message=hold, remedy=remedy),),
    )
    assert (
        f"mail   primary on alpha → beta   HELD        {hold}: {remedy}\n"
        "web    primary on alpha → beta   streaming   lag 21 ms (events; last full look 03:45)   commit 3.1842"
    ) == lines(a_node(a_dataset(), held))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"hold": Hold("held", "the source is empty")},
            "HELD   the source is empty: hikae accept web, if that is meant",
        ),
        ({"pauses": (Pause("send", NOW),)}, "paused   send until 04:15: hikae resume web   commit 3.1842"),
        (
            {"sync": SyncFacts(FIRST_SYNC, 1 << 30, 4 << 30, 12_000, 50_000, 125.0)},
            "first-sync   25 %, 1.0 GiB of 4.0 GiB, 12,000 of 50,000 entries, about 2 min 5 s left   commit 3.1842",
        ),
        (
            {
                "peers": (a_peer(first_sync=SyncFacts(FIRST_SYNC)),),
                "sync": SyncFacts(FIRST_SYNC, 1 << 30, 4 << 30, 0, 9, 60.0),
            },
            "first-sync   25 %, 1.0 GiB of 4.0 GiB, 9 entries, about 1 min 0 s left   commit 3.1842",
        ),
        (
            {
                "peers": (
                    a_peer(told=PeerStanding(Standing("held", Hold("c", "9 of 10 deleted", "hikae accept web")), NOW)),
                )
            },
            "HELD   beta is held: 9 of 10 deleted; on beta: hikae accept web",
        ),
        (
            {"peers": (a_peer(told=PeerStanding(Standing("paused", pauses=(Pause("apply", NOW),)), NOW - 1)),)},
            "paused   apply on beta until 04:15: on beta: hikae resume web   commit 3.1842",
        ),
        (
            {
                "peers": (
                    a_peer(told=PeerStanding(Standing("degraded", errors=2, worst=Trouble("c", "full", "free")), NOW)),
                )
            },
            "degraded   beta says: full; on beta: free (and 1 more there)   commit 3.1842",
        ),
        (
            {"peers": (a_peer(connected=False, mode="", behind_bytes=5 << 20),)},
            "DISCONNECTED   no connection with beta since 04:15, 5.0 MiB wait: "
            "is its agent running, and its port open?",
        ),
        ({"peers": (a_peer(mode="catchup", behind_bytes=2048),)}, "catchup   beta is 2.0 KiB behind   commit 3.1842"),
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
            "behind   gamma is 3.0 GiB behind, gains 1.1 MB/s on 4 MB/s of changes: never at this rate   commit 3.1842",
        ),
        (
            {"peers": (a_peer(mode="catchup", behind_bytes=3 << 30, rate=1.1e6, change_rate=4.0e6),)},
            "catchup   beta is 3.0 GiB behind, gains 1.1 MB/s on 4 MB/s of changes: how long is not known yet   commit 3.1842",
        ),
        (
            {"peers": (a_peer(mode="behind", behind_bytes=3 << 30, rate=1.1e6, forecast_seconds=7300.0),)},
            "behind   beta is 3.0 GiB behind, gains 1.1 MB/s on 0 B/s of changes: about 2 h 1 min left   commit 3.1842",
        ),
        (
            {
                "peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="first_sync"),),
                "sync": SyncFacts(FIRST_SYNC, 1 << 30),
            },
            "first-sync   1.0 GiB there, counting what there is, first sync waits until 05:15   commit 3.1842",
        ),
        (
            {"peers": (a_peer(behind_bytes=2048, rate_limit=80_000_000, limited_by="first_sync"),)},
            "first-sync   beta is 2.0 KiB behind, limited to 80 MB/s   commit 3.1842",
        ),
        (
            {"peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="steady"),), "watch": None},
            "streaming   lag 21 ms, sending waits until 05:15   commit 3.1842",
        ),
        (
            {
                "peers": (a_peer(rate_limit=2_000_000, limited_by="steady"), a_peer(name="gamma", mode="catchup")),
            },
            "catchup   gamma is 0 bytes behind, beta: limited to 2 MB/s   commit 3.1842",
        ),
        (
            {
                "peers": (a_peer(rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="steady"),),
                "problems": (a_problem(path=b"x"),),
            },
            "degraded   x: unreadable message: unreadable remedy; sending waits until 05:15   commit 3.1842",
        ),
        (
            {
                "problems": (a_problem(path=b"x"), a_problem("watch"), a_problem("socket-skipped", Severity.INFO)),
                "uncounted": {"u": 4},
            },
            "degraded   x: unreadable message: unreadable remedy (and 5 more: hikae status --json)   commit 3.1842",
        ),
    ],
)
def test_each_state_says_what_matters(more: dict[str, object], expected: str) -> None:
    """The words after the state are those that an operator needs in it."""
    assert expected == one(**more)


def test_a_lesser_watcher_is_named_with_the_reason() -> None:
    """Which one is in force, and why not a better one."""
    watch = WatchFacts("inotify", "fanotify cannot be used: it needs root", 0, 0, 0, None)
    assert "(inotify: fanotify cannot be used: it needs root)" in one(watch=watch)


def test_a_standby_names_its_primary() -> None:
    """On the other node the arrow points the other way."""
    from agent.status.state import Role

    facts: DatasetFacts = a_dataset(role=Role.STANDBY, watch=None)
    assert "standby on beta ← alpha" in lines(a_node(facts, node="beta"))


def test_no_terminal_is_moved_by_a_name() -> None:
    """Escape sequences in messages and names are text, also in colour, and a line stays a line."""
    bad = "\x1b]0;owned\x07\x1b[2J\n\u202e"
    facts = a_node(
        a_dataset(hold=Hold(bad, bad, bad), peers=(a_peer(name=bad),), standbys=(bad,)),
        problems=(a_problem(message=bad, remedy=bad),),
    )
    out = StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=500, highlight=False).print(
        status_lines(status_json(facts)), soft_wrap=True
    )
    assert 2 == out.getvalue().count("\n")
    for harmful in ("\x1b]", "\x1b[2J", "\x07", "\u202e"):
        assert harmful not in out.getvalue()


def test_colour_on_a_terminal() -> None:
    """A streaming dataset is green."""
    out = StringIO()
    Console(file=out, force_terminal=True, color_system="standard", highlight=False).print(
        status_lines(status_json(a_node(a_dataset()))), soft_wrap=True
    )
    assert "\x1b[32mstreaming" in out.getvalue()


def test_no_datasets() -> None:
    """An empty configuration says what to do."""
    assert "add [[dataset]]" in lines(a_node())


def test_who_waits_for_a_call_is_not_sent_to_the_other_port() -> None:
    """A standby without its primary sends the operator to the node that calls, which is told why it cannot."""
    gone = a_dataset(role=Role.STANDBY, peers=(a_peer(name="alpha", connected=False, mode="", since_ns=NOW - MINUTE),))
    facts = replace(a_node(gone), node="beta")
    assert (
        "web   standby on beta ← alpha   DISCONNECTED   no connection with alpha since 04:14: "
        "hikae status on alpha, which calls this node, says why; or its agent does not run"
    ) == lines(facts)


def test_what_was_in_the_way_of_a_peer_is_not_forgotten_with_its_link() -> None:
    """A hold there is told with its hour while sending is paused, and while the peer is away."""
    told = PeerStanding(
        Standing("held", hold=Hold("held", "the source became empty", "hikae accept web")), NOW - MINUTE
    )
    peers = (a_peer(connected=False, mode="", told=told, since_ns=NOW - MINUTE),)
    heard = "beta was held when last heard, 04:14: the source became empty"
    away = "no connection with beta since 04:14: is its agent running, and its port open?"
    paused = one(peers=peers, pauses=(Pause("send", None),))
    assert (f"paused   send: hikae resume web, {heard}   commit 3.1842", f"DISCONNECTED   {away}; {heard}") == (
        paused,
        one(peers=peers),
    )


def test_unconfirmed_says_by_whom_and_what_goes_on() -> None:
    """It is no line without a word: who has not answered, and why as far as known."""
    peers = (a_peer(connected=False, mode=""),)
    words = "UNCONFIRMED   beta has not confirmed that no other node was made primary; changes are recorded meanwhile"
    trouble = a_problem("disconnected", Severity.ERROR, message="beta: nothing listens", remedy="start it")
    assert (words, f"{words}; beta: nothing listens: start it") == (
        one(unconfirmed=True, peers=peers),
        one(unconfirmed=True, peers=peers, link_problems=(trouble,)),
    )
