"""The monitoring plug-in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.ids import commit_number
from agent.core.kept import VaultCheck, VaultFacts, VaultVerified
from agent.core.problem import Severity
from agent.core.standing import Pause, PeerStanding, Rehearsed, Standing, Verified
from agent.status.check import LagLimits, check_line, dead_line, unknown_line
from agent.status.facts import FIRST_SYNC, DatasetFacts, NodeFacts, PeerFacts, SyncFacts
from agent.status.promotion import LossFacts, PromotionFacts
from agent.status.public import public_json
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import A_COMMIT, NOW, a_dataset, a_node, a_peer, a_problem


def said(state: str, **more: Any) -> NodeFacts:
    """A node whose peer says so of itself."""
    return a_node(a_dataset(peers=(a_peer(told=PeerStanding(Standing(state, **more), 1)),)))


#: Why the peer is not connected.
AWAY_AT_ALL = a_problem("disconnected", message="beta: nothing listens", severity=Severity.ERROR)


@pytest.mark.parametrize(
    ("facts", "code", "begin"),
    [
        (
            a_node(a_dataset(), a_dataset("db")),
            0,
            "HIKAE OK - 2 datasets: db, web | db_behind=0B;;;0 db_lag=0.021s;;;0 web_behind=0B;;;0 web_lag=0.021s;;;0",
        ),
        (a_node(a_dataset(), a_dataset("db", redo=True)), 1, "HIKAE WARNING - db redo ("),
        (
            a_node(a_dataset(hold=Hold("held", "gone"))),
            2,
            "HIKAE CRITICAL - web held (gone; if it was not meant: hikae rollback web --at TIME; if it was: hikae accept web) |",
        ),
        (a_node(a_dataset(peers=(a_peer(connected=False),))), 2, "HIKAE CRITICAL - web disconnected ("),
        (
            a_node(a_dataset(peers=(a_peer(connected=False, left_behind=True),), link_problems=(AWAY_AT_ALL,))),
            1,
            "HIKAE WARNING - web disconnected (beta: nothing listens: disconnected remedy; it has not followed since this node",
        ),
        (
            a_node(a_dataset(peers=(a_peer(connected=False, left_behind=True), a_peer(name="gamma", connected=False)))),
            2,
            "HIKAE CRITICAL - web disconnected (",
        ),
        (a_node(a_dataset(problems=(a_problem(severity=Severity.ERROR),))), 2, "HIKAE CRITICAL - web degraded ("),
        (a_node(a_dataset(), problems=(a_problem(),)), 1, "HIKAE WARNING - unreadable message: unreadable remedy |"),
        (
            said("held", hold=Hold("c", "gone", "accept")),
            2,
            "HIKAE CRITICAL - web held (beta is held: gone; on beta: accept) |",
        ),
        (said("degraded", errors=1), 2, "HIKAE CRITICAL - web degraded (beta says: it has problems) |"),
        (said("degraded", warnings=1), 1, "HIKAE WARNING - web degraded (beta says: it has problems) |"),
        (
            said("paused", pauses=(Pause("apply", None),)),
            1,
            "HIKAE WARNING - web paused (applying is paused on beta; on beta: hikae",
        ),
        (said("streaming"), 0, "HIKAE OK - 1 dataset: web |"),
        (a_node(), 3, "HIKAE UNKNOWN - no datasets are configured"),
    ],
)
def test_code_and_line(facts: NodeFacts, code: int, begin: str) -> None:
    """The worst dataset or problem decides the code, and the line names it."""
    line, found = check_line(status_json(facts))
    assert (code, begin) == (found, line[: len(begin)])
    assert "\n" not in line


def test_who_may_not_read_names_is_not_woken_either() -> None:
    """For a peer that a promotion left behind: the code is the same of what anybody may read."""
    facts = a_node(a_dataset(peers=(a_peer(connected=False, left_behind=True),), link_problems=(AWAY_AT_ALL,)))
    assert 1 == check_line(public_json(status_json(facts)))[1]


AWAY = a_peer(connected=False, mode="", applied_ns=NOW - 90 * 10**9)


@pytest.mark.parametrize(
    ("peer", "limits", "expected"),
    [
        (a_peer(lag_seconds=6.0), LagLimits(5.0, 60.0), (1, "web streaming (lag 6.0 s", "web_lag=6.000s;5;60;0")),
        (a_peer(lag_seconds=60.0), LagLimits(5.0, 60.0), (2, "web streaming (lag 1 min 0 s", "web_lag=60.000s;5;60;0")),
        (a_peer(lag_seconds=4.9), LagLimits(5.0, 60.0), (0, "1 dataset: web", "web_lag=4.900s;5;60;0")),
        (AWAY, LagLimits(critical=60.0), (2, "web disconnected (lag 1 min 30 s", "web_lag=90.000s;;60;0")),
    ],
)
def test_limits_of_the_lag(peer: PeerFacts, limits: LagLimits, expected: tuple[int, str, str]) -> None:
    """From each limit on; the lag of a peer that is away is how old the last thing is that it has applied."""
    line, code = check_line(status_json(a_node(a_dataset(peers=(peer,)))), None, limits)
    assert expected == (code, expected[1] if expected[1] in line else line, line.split()[-1])


STANDBY = a_dataset(
    role=Role.STANDBY, applied=A_COMMIT.number, applied_commit=A_COMMIT, peers=(a_peer(lag_seconds=None),)
)
OLDER = replace(A_COMMIT, number=commit_number(3, 7), time=NOW - 90 * 10**9)
HELD_BACK = replace(STANDBY, applied=OLDER.number, applied_commit=OLDER)
LOST = PromotionFacts((), loss=LossFacts(seconds=2.5))


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (a_dataset(peers=(a_peer(applied_ns=NOW - 90 * 10**9),)), "web_apply_lag=90.000s;;;0"),
        (a_dataset(peers=(a_peer(applied_ns=NOW - 10**9), a_peer(applied_ns=NOW))), "web_apply_lag=1.000s;;;0"),
        (a_dataset(peers=(a_peer(applied_ns=NOW), a_peer(applied_ns=None))), ""),
        (HELD_BACK, "web_apply_lag=90.000s;;;0"),
        (replace(HELD_BACK, applied_until_ns=NOW - 2 * 10**9), "web_apply_lag=2.000s;;;0"),
        (replace(HELD_BACK, applied_commit=None, applied_until_ns=NOW - 2 * 10**9), "web_apply_lag=2.000s;;;0"),
        (replace(HELD_BACK, promotion=LOST), "web_apply_lag=90.000s;;;0"),
        (replace(HELD_BACK, applied_commit=None), ""),
        (replace(STANDBY, promotion=LOST), "web_apply_lag=2.500s;;;0"),
        (STANDBY, ""),
        (replace(STANDBY, promotion=LOST, first_sync=True), ""),
        (replace(HELD_BACK, applied_until_ns=NOW - 2 * 10**9, first_sync=True), ""),
        (a_dataset(role=Role.STANDBY, commit=None, peers=()), ""),
    ],
)
def test_how_long_ago_what_is_applied_stood(dataset: DatasetFacts, expected: str) -> None:
    """On both nodes, also of who may not read names; where it is not known there is no figure."""
    status = status_json(a_node(dataset))
    figures = [
        [one for one in check_line(value)[0].split() if "apply_lag" in one] for value in (status, public_json(status))
    ]
    assert [[expected] if expected else []] == figures[:1]
    assert len(figures[0]) == len(figures[1])


@pytest.mark.parametrize(("total", "figures"), [(None, []), (7 << 20, ["web_behind=5242880B;;;0"])])
def test_what_a_first_sync_has_not_counted_yet_has_no_figure(total: int | None, figures: list[str]) -> None:
    """What was read so far is not what a standby has not got."""
    peer = a_peer(behind_bytes=5 << 20, first_sync=SyncFacts(FIRST_SYNC, 2 << 20, total))
    line, _ = check_line(status_json(a_node(a_dataset(peers=(peer,)))))
    assert figures == [one for one in line.split() if one.startswith("web_behind")]


def test_of_a_standby_that_has_not_said_what_it_has_there_is_no_figure() -> None:
    """Nought would say that it has all; here and for who may not read names."""
    status = status_json(
        a_node(a_dataset(peers=(a_peer(connected=False, mode="", behind_known=False), a_peer(name="g"))))
    )
    for value in (status, public_json(status)):
        assert "web_behind" not in check_line(value)[0]


HOUR = 3600 * 10**9
LOOKED_AT = replace(
    STANDBY,
    last_verify=Verified(NOW - HOUR, False, True, 3),
    last_rehearsal=Rehearsed(NOW - 2 * HOUR, False, A_COMMIT.number, 5, 1, "", "no"),
    vault=VaultFacts(1, None, None, None, None, VaultVerified(NOW - 4 * HOUR, 2, VaultCheck(NOW - 3 * HOUR, 5, 2, 0))),
)


def test_when_the_standby_the_vault_and_a_probe_were_looked_at() -> None:
    """Ages and results on the node that keeps them, also for who may not read names; what is not known is left out."""
    status = status_json(a_node(LOOKED_AT))
    expected = [
        "web_rehearsal_age=7200s;;;0",
        "web_rehearsal_failed=1;;;0",
        "web_vault_all_verified_age=14400s;;;0",
        "web_vault_damaged=2;;;0",
        "web_vault_verify_age=10800s;;;0",
        "web_verify_age=3600s;;;0",
        "web_verify_differences=3;;;0",
    ]
    assert expected == [one for one in check_line(status)[0].rpartition(" | ")[2].split() if "lag" not in one]
    known = check_line(public_json(status))[0].rpartition(" | ")[2]
    assert 7 == sum("lag" not in one for one in known.split())
    assert "verif" not in check_line(status_json(a_node(STANDBY)))[0]
    told = PeerStanding(Standing("streaming", verified=LOOKED_AT.last_verify), NOW)
    assert "verif" not in check_line(status_json(a_node(a_dataset(peers=(a_peer(told=told),)))))[0]


def test_one_dataset_of_several() -> None:
    """The others are not looked at; one that is not there is unknown, with those that are."""
    status = status_json(a_node(a_dataset(redo=True), a_dataset("db")))
    assert [check_line(status, "db")[1], check_line(status, "wbe")] == [
        0,
        ("HIKAE UNKNOWN - there is no dataset wbe: this node knows web, db", 3),
    ]


def test_dead() -> None:
    """Nobody replicates: that is critical, not unknown."""
    assert dead_line("no agent is running") == ("HIKAE CRITICAL - no agent is running", 2)


def test_unknown() -> None:
    """An agent that does not answer is UNKNOWN, in one line."""
    assert ("HIKAE UNKNOWN - no\\nagent", 3) == unknown_line("no\nagent")


def test_nobody_else_gives_figures() -> None:
    """Monitoring systems read them behind the first bar: a file's name, or a peer's word, may hold one."""
    line = check_line(status_json(a_node(a_dataset(hold=Hold("held", "gone | web_lag=0s")))))[0]
    assert (1, "gone \\x7c web_lag=0s") == (line.count("|"), line[line.index("gone") :][: len("gone \\x7c web_lag=0s")])
    assert "|" not in unknown_line("a|b")[0]


def test_a_mere_warning_does_not_hide_the_missing_link() -> None:
    """What the state says comes first; where a problem says why the link is gone, that does."""
    away = (a_peer(connected=False),)
    aside = a_problem(code="displaced", severity=Severity.WARNING, path=b"", message="one entry is aside")
    line, _ = check_line(status_json(a_node(a_dataset(peers=away, problems=(aside,)))))
    assert line.index("no connection with beta") < line.index("one entry is aside")
    refused = a_problem(code="identity", severity=Severity.ERROR, path=b"", message="beta: its certificate is revoked")
    line, _ = check_line(status_json(a_node(a_dataset(peers=away, problems=(aside,), link_problems=(refused,)))))
    assert "beta: its certificate is revoked" in line
    assert "no connection with beta" not in line


@pytest.mark.parametrize("role", [Role.PRIMARY, Role.STANDBY])
def test_what_is_not_open_says_so(role: Role) -> None:
    """Nobody is sent to the other node for it; why, where that is known, and what to do."""
    away = a_peer(connected=False, mode="", lag_seconds=None, applied_ns=None)
    closed = a_dataset(role=role, opened=False, commit=None, peers=(away,))
    why = a_problem(
        "not-running",
        Severity.ERROR,
        message="cannot open the dataset (web): no directory",
        remedy="put it right there",
    )
    lines = [check_line(status_json(a_node(one)))[0] for one in (closed, replace(closed, problems=(why,)))]
    assert "web disconnected (it is not open here: until then nothing is replicated" in lines[0]
    assert "web disconnected (cannot open the dataset (web): no directory: put it right there)" in lines[1]
    assert ["hikae" in line for line in lines] == [False, False]
