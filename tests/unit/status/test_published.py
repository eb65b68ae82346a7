"""The JSON that other programs rely on."""

from __future__ import annotations

import json

from agent.core.hold import Hold
from agent.core.standing import NEVER, Pause, PeerStanding, Standing, Trouble, Verified
from agent.status.facts import FIRST_SYNC, SyncFacts
from agent.status.published import status_json
from fakes.api_fakes import NOW, a_dataset, a_node, a_peer, a_problem


def test_the_whole_shape() -> None:
    """Every key that other programs rely on is there, with the types that programs expect."""
    facts = a_dataset(
        problems=(a_problem(path=b"a\xff\n"),),
        sync=SyncFacts(FIRST_SYNC, 5, 10, 1, 2, 1.5),
        hold=Hold("held", "empty", "accept", NOW),
        pauses=(Pause("apply", None),),
        last_verify=Verified(1_795_317_300_000_000_000, True, True, 0),
    )
    value = status_json(a_node(facts))
    assert {"schema", "node", "version", "clock", "disks", "certificate", "crl", "problems", "datasets"} == set(value)
    dataset = value["datasets"][0]
    assert {
        "commit": {
            "epoch": 3,
            "seq": 1842,
            "digest": bytes(range(32)).hex(),
            "time": "2026-11-22T04:14:59.999999Z",
            "consistent": True,
            "entries": 10,
            "bytes": 1234,
        },
        "applied": None,
        "sync": {
            "phase": "first-sync",
            "done_bytes": 5,
            "total_bytes": 10,
            "done_entries": 1,
            "total_entries": 2,
            "eta_seconds": 1.5,
        },
        "hold": {
            "code": "held",
            "sentence": "empty",
            "remedy": "accept",
            "node": "alpha",
            "since": "2026-11-22T04:15:00.000000Z",
            "gives_up": None,
            "generation": None,
            "accepted_on": "alpha",
        },
        "pauses": [{"node": "alpha", "what": "apply", "until": None, "by": None}],
        "last_verify": {"time": "2026-11-22T03:15:00.000000Z", "equal": True, "deep": True, "differences": 0},
        "generations": None,
        "last_rehearsal": None,
        "state": "held",
        "role": "primary",
    }.items() <= dataset.items()
    assert ("unreadable", "warning", "a\\xff\\n") == tuple(
        dataset["problems"][0][key] for key in ("code", "severity", "path")
    )
    peer = dataset["peers"][0]
    assert (1842, 1841, 0.021, True) == (
        peer["durable_seq"],
        peer["applied_seq"],
        peer["lag_seconds"],
        peer["connected"],
    )
    assert (None, None, None) == tuple(peer[key] for key in ("rate_limit", "waits_until", "limited_by"))
    assert value == json.loads(json.dumps(value))


def test_a_peer_that_waits_for_its_hours() -> None:
    """The rate in force, the moment when it goes on, and which list says so."""
    waits = a_peer(rate_limit=0, waits_until_ns=NOW, limited_by="steady")
    peer = status_json(a_node(a_dataset(peers=(waits,))))["datasets"][0]["peers"][0]
    assert (0, "2026-11-22T04:15:00.000000Z", "steady") == (peer["rate_limit"], peer["waits_until"], peer["limited_by"])


def test_nothing_known_is_null() -> None:
    """A dataset without a commit, watcher or sync has nulls, not missing keys."""
    dataset = status_json(a_node(a_dataset(commit=None, watch=None)))["datasets"][0]
    assert [None] * 4 == [dataset[key] for key in ("commit", "watch", "sync", "hold")]
    assert [] == dataset["pauses"]
    peer = dataset["peers"][0]
    assert [None] * 6 == [peer[key] for key in ("said", "state", "hold", "worst", "last_verify", "received")]


def test_what_a_peer_says_is_shown_as_its_own() -> None:
    """Its hold is the dataset's while it is connected, with its name; nothing that it says moves a cursor."""
    told = PeerStanding(
        Standing(
            "held\x1b[2J",
            Hold("c", "\x1b]0;x", "r", 0),
            (Pause("apply", NOW, "uid\n0"),),
            1,
            2,
            Trouble("c", "m\n", "r"),
        ),
        NOW,
    )
    dataset = status_json(a_node(a_dataset(peers=(a_peer(told=told),))))["datasets"][0]
    hold = {
        "code": "c",
        "sentence": "\\x1b]0;x",
        "remedy": "r",
        "node": "beta",
        "since": None,
        "gives_up": None,
        "generation": None,
    }
    hold["accepted_on"] = None
    assert [hold, hold] == [dataset["hold"], dataset["peers"][0]["hold"]]
    pause = {"node": "beta", "what": "apply", "until": "2026-11-22T04:15:00.000000Z", "by": "uid\\n0"}
    assert [pause] == dataset["pauses"]
    peer = dataset["peers"][0]
    expected = ("held\\x1b[2J", 1, 2, {"code": "c", "message": "m\\n", "remedy": "r"}, "2026-11-22T04:15:00.000000Z")
    assert expected == tuple(peer[key] for key in ("state", "errors", "warnings", "worst", "said"))
    gone = status_json(a_node(a_dataset(peers=(a_peer(told=told, connected=False),))))["datasets"][0]
    assert (None, []) == (gone["hold"], gone["pauses"])


def test_what_is_not_known_is_not_never() -> None:
    """Both have no number; only one of them is a word about how long it takes."""
    peers = (a_peer(), a_peer(forecast_seconds=9.5), a_peer(forecast_seconds=NEVER))
    told = status_json(a_node(a_dataset(peers=peers)))["datasets"][0]["peers"]
    assert [(None, False), (9.5, False), (None, True)] == [
        (peer["forecast_seconds"], peer["forecast_never"]) for peer in told
    ]
    json.dumps(told, allow_nan=False)
