"""What stands below a row: problems and what to do, the worst first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.hold import Hold
from agent.core.problem import Severity
from agent.core.standing import Pause, PeerStanding, Standing
from agent.status.facts import WatchFacts
from agent.status.state import Role
from fakes.api_fakes import MINUTE, NOW, a_dataset, a_node, a_peer, a_problem
from fakes.shown_page import below, lines

pytestmark = pytest.mark.usefixtures("utc")


def test_an_error_is_worse_than_a_pause_that_was_asked_for() -> None:
    """Whatever their states are called."""
    trouble = a_dataset("web", problems=(a_problem(severity=Severity.ERROR),))
    page = lines(a_node(a_dataset("mail", pauses=(Pause("apply", None),)), trouble, a_dataset("a")))
    assert [line.split()[0] for line in page if line.startswith(("a ", "mail ", "web "))] == ["web", "mail", "a"]


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
