"""The JSON that other programs rely on."""

from __future__ import annotations

import json

from agent.status.facts import FIRST_SYNC, SyncFacts
from agent.status.published import status_json
from fakes.api_fakes import NOW, a_dataset, a_node, a_peer, a_problem


def test_the_whole_shape() -> None:
    """Every key of section 12 is there, with the types that programs expect."""
    facts = a_dataset(
        problems=(a_problem(path=b"a\xff\n"),),
        sync=SyncFacts(FIRST_SYNC, 5, 10, 1, 2, 1.5),
        hold="empty",
        paused_until={"apply": None},
        last_verify={"time": 1_795_317_300_000_000_000, "equal": True},
    )
    value = status_json(a_node(facts))
    assert {"schema", "node", "version", "time", "problems", "datasets"} == set(value)
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
        "hold": "empty",
        "paused": {"apply": None},
        "last_verify": {"time": "2026-11-22T03:15:00.000000Z", "equal": True},
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
    assert [None] * 5 == [dataset[key] for key in ("commit", "watch", "sync", "hold", "paused")]
