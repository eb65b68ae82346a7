"""What Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from agent.core.ids import NOTHING, CommitNumber
from agent.core.standing import PeerStanding, Standing, Verified
from agent.status.facts import FIRST_SYNC, PeerFacts, SyncFacts
from agent.status.published import Json, status_json
from agent.status.state import Role, State
from agent.web.looking import StateLook
from agent.web.metrics import metrics_text
from agent.web.series import DATASET, NODE, PEER
from fakes.api_fakes import A_COMMIT, NOW, a_dataset, a_node, a_peer, a_problem
from fakes.web_fakes import a_look

VERIFIED = Verified(NOW - 5_000_000_000, True, False, 0)


def _series(look: StateLook) -> dict[str, float]:
    lines = [line for line in metrics_text(look).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _with(value: Json, **more: object) -> StateLook:
    return StateLook({**value, "datasets": [{**one, **more} for one in value["datasets"]]}, 0.5)


def test_success_and_age_are_told() -> None:
    """When it was last durable, applied, verified: on the primary the least of its standbys; 0 for what never was."""
    told = PeerStanding(Standing("streaming", verified=VERIFIED), NOW)
    peer = a_peer(received_ns=NOW - 1_000_000_000, applied_ns=NOW - 2_000_000_000, told=told)
    other = a_peer(name="gamma", received_ns=NOW - 9_000_000_000, applied_ns=None)
    one, two = (_series(a_look(a_node(a_dataset(peers=peers)))) for peers in ((peer,), (peer, other)))
    moments = ("durable", "applied", "verified", "rehearsed", "generation")
    names = [f'hikae_dataset_last_{moment}_timestamp_seconds{{dataset="web"}}' for moment in moments]
    now = NOW / 1e9
    assert [now - 1, now - 2, now - 5, 0.0, 0.0] == [one[name] for name in names]
    assert [now - 9, 0.0, 0.0, 0.0, 0.0] == [two[name] for name in names]


def test_a_verify_that_found_differences_is_no_success() -> None:
    """Only an equal one moves the moment on."""
    name = 'hikae_dataset_last_verified_timestamp_seconds{dataset="web"}'
    results = (VERIFIED, Verified(NOW, False, False, 3))
    found = [_series(a_look(a_node(a_dataset(role=Role.STANDBY, last_verify=one))))[name] for one in results]
    assert [NOW / 1e9 - 5, 0.0] == found


def test_every_state_and_role_has_a_gauge() -> None:
    """One of each is 1 (law 10), also a state that a newer agent names."""
    series = _series(a_look(a_node(a_dataset(unconfirmed=True))))
    states = {name: value for name, value in series.items() if name.startswith("hikae_dataset_state{")}
    assert ({'hikae_dataset_state{dataset="web",state="unconfirmed"}'}, len(State)) == (
        {name for name, value in states.items() if value},
        len(states),
    )
    newer = _series(_with(status_json(a_node(a_dataset())), state="dreaming"))
    assert 1.0 == newer['hikae_dataset_state{dataset="web",state="dreaming"}']


def test_gates_and_what_a_promotion_would_lose() -> None:
    """As the standby knows them all the time."""
    gates = [{"name": "lag", "ok": True}, {"name": "verified", "ok": False}]
    promotion = {"gates": gates, "loss": {"paths": 3, "bytes": 77, "seconds": 1.5}, "rto_ms": 250}
    series = _series(_with(status_json(a_node(a_dataset(role=Role.STANDBY))), promotion=promotion))
    assert {
        'hikae_dataset_gate_met{dataset="web",gate="lag"}': 1.0,
        'hikae_dataset_gate_met{dataset="web",gate="verified"}': 0.0,
        'hikae_dataset_promotable{dataset="web"}': 0.0,
        'hikae_dataset_loss_predicted_seconds{dataset="web"}': 1.5,
        'hikae_dataset_loss_predicted_bytes{dataset="web"}': 77.0,
        'hikae_dataset_rto_predicted_seconds{dataset="web"}': 0.25,
        'hikae_dataset_lag_seconds{dataset="web"}': 1.5,
    }.items() <= series.items()


def test_problems_are_counted_by_code() -> None:
    """Of the node, and of each dataset, also those that are not listed."""
    dataset = a_dataset(problems=(a_problem(), a_problem()), uncounted={"unreadable": 40})
    for look in (a_look(a_node(dataset)), StateLook(status_json(a_node(dataset)), 0.5)):
        assert 42.0 == _series(look)['hikae_dataset_problems{code="unreadable",dataset="web",severity="warning"}']


def test_a_stale_state_says_so_and_no_state_says_nothing_else() -> None:
    """What was last known stays, with its age beside it."""
    stale, none = _series(a_look(a_node(a_dataset()), age=99.0)), _series(StateLook(None, float("inf")))
    assert (0.0, 99.0, 1.0) == (
        stale["hikae_state_fresh"],
        stale["hikae_state_age_seconds"],
        stale['hikae_dataset_serving{dataset="web"}'],
    )
    assert {"hikae_state_fresh": 0.0} == none


def test_every_declared_series_has_its_help() -> None:
    """Families are there also where no series is, so that a rule finds what it names."""
    text = metrics_text(a_look(a_node(a_dataset())))
    assert [] == [gauge.name for gauge in (*NODE, *DATASET, *PEER) if f"# HELP {gauge.name} {gauge.means}" not in text]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (package prometheus)")
def test_promtool_has_nothing_to_say() -> None:
    """Names, types and texts are as Prometheus wants them."""
    text = metrics_text(a_look(a_node(a_dataset(problems=(a_problem(),)), a_dataset("mail", role=Role.STANDBY))))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("more", "durable", "applied"),
    [
        ({}, 0, 60),
        ({"applied": A_COMMIT.number, "applied_commit": replace(A_COMMIT, time=NOW)}, 0, 0),
        ({"first_sync": True}, None, None),
        ({"applied": NOTHING, "applied_commit": None}, 0, None),
    ],
)
def test_a_standby_tells_what_it_applied(more: dict[str, Any], durable: int | None, applied: int | None) -> None:
    """By the commit that its tree equals, not by the one that it received; in its first sync nothing is of any moment.
    ``durable`` and ``applied``: seconds before the newest commit; None: never."""
    newest = replace(A_COMMIT, time=NOW)
    older = replace(newest, number=CommitNumber(newest.number - 1), time=NOW - 60 * 10**9)
    facts = a_dataset(role=Role.STANDBY, commit=newest, applied=older.number, applied_commit=older)
    told = _series(a_look(a_node(replace(facts, **more))))
    found = [
        told[f'hikae_dataset_last_{moment}_timestamp_seconds{{dataset="web"}}'] for moment in ("durable", "applied")
    ]
    assert [0.0 if one is None else NOW / 1e9 - one for one in (durable, applied)] == found


@pytest.mark.parametrize(
    ("peer", "figures"),
    [
        (a_peer(connected=False, mode="", behind_known=False), []),
        (a_peer(behind_bytes=5, first_sync=SyncFacts(FIRST_SYNC, 2)), []),
        (a_peer(behind_bytes=5, first_sync=SyncFacts(FIRST_SYNC, 2, 7)), [5.0, 5.0]),
    ],
)
def test_what_is_not_known_to_be_missing_has_no_figure(peer: PeerFacts, figures: list[float]) -> None:
    """Of a standby that has not said what it has, and of a first sync that nobody has counted: nought would be all well."""
    series = _series(a_look(a_node(a_dataset(peers=(peer,)))))
    assert figures == [value for name, value in series.items() if "behind_bytes{" in name]
