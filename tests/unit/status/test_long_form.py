"""``status DATASET`` says all that JSON holds of it: no key without its words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.ids import commit_number
from agent.core.kept import TAKEN, HistoryFacts, KeptNote, KeptPast, VaultCheck, VaultFacts, VaultVerified
from agent.core.problem import Severity
from agent.core.standing import NEVER, Pause, PeerStanding, Rehearsed, Standing, Trouble, Verified
from agent.status.facts import FIRST_SYNC, DatasetFacts, MovingFacts, SyncFacts, WatchFacts
from agent.status.page import dataset_page, status_page
from agent.status.promotion import Gate, LossFacts, PromotionFacts, Rto
from agent.status.published import Json, status_json
from agent.status.state import Role
from fakes.api_fakes import A_COMMIT, MINUTE, NOW, a_dataset, a_node, a_peer, a_problem

pytestmark = pytest.mark.usefixtures("utc")
DAY = 24 * 60 * MINUTE


def _past(count: int) -> KeptPast:
    """What a node keeps: ``count`` generations."""
    notes = (KeptNote(NOW - 7 * MINUTE, TAKEN, f"the {count}th was taken"),)
    history = HistoryFacts(NOW - 61 * MINUTE, count, NOW - 50 * MINUTE, NOW - 2 * MINUTE, notes, NOW - 9 * MINUTE)
    check = VaultCheck(NOW - 8 * MINUTE, 5 << 20, 6, 5)
    vault = VaultFacts(12 << 30, 20 << 30, 3.2, 1 << 30, NOW + DAY, VaultVerified(NOW - 3 * DAY, 2, check))
    return KeptPast(history, 7200, vault)


def _primary() -> DatasetFacts:
    """With a peer for each thing that may be wrong with one."""
    said = Standing(
        "held",
        Hold("mass-deletion", "9 of 10 deleted", "", NOW - 4 * MINUTE, generation="20261122T040000Z"),
        (Pause("apply", NOW + 70 * MINUTE, "ann (uid 7)"),),
        1,
        1,
        Trouble("vault-full", "the vault is full", "raise vault_limit"),
        Verified(NOW - 60 * MINUTE, False, True, 77),
        past=_past(41),
    )
    beta = a_peer(received_ns=NOW, applied_ns=NOW - MINUTE, behind_bytes=5 << 20, owed=6, told=PeerStanding(said, NOW))
    gamma = a_peer(
        name="gamma", mode="behind", rate=1.1e6, change_rate=4.0e6, forecast_seconds=NEVER, rate_limit=2_000_000
    )
    gamma = replace(gamma, told=PeerStanding(Standing("seeding", sync=SyncFacts("seeding", 31, 100)), NOW))
    delta = a_peer(name="delta", mode="catchup", rate=3e6, forecast_seconds=42.0)
    delta = replace(delta, rate_limit=0, waits_until_ns=NOW + 60 * MINUTE, limited_by="first_sync")
    away = a_peer(
        name="omega", connected=False, mode="", left_behind=True, first_sync=SyncFacts(FIRST_SYNC, 3, 4, 5, 6, 7.0)
    )
    away = replace(away, told=PeerStanding(Standing("streaming", past=_past(43)), NOW - 3 * MINUTE), behind_known=False)
    return a_dataset(
        standbys=("beta", "gamma", "delta", "omega"),
        peers=(beta, gamma, delta, away),
        pauses=(Pause("apply", None),),
        watch=WatchFacts("inotify", "fanotify needs root", 17, 3, 4, NOW - 30 * MINUTE),
        problems=(a_problem(path=b"x"), a_problem("socket-skipped", Severity.INFO, b"y")),
        uncounted={"unreadable": 100},
        owed=8,
        time_ns=NOW,
    )


def _standby() -> DatasetFacts:
    older = replace(A_COMMIT, number=commit_number(3, 1840), time=NOW - 3 * MINUTE, entries=300, bytes=2048)
    old = NOW - 90 * MINUTE
    return a_dataset(
        role=Role.STANDBY,
        peers=(a_peer(name="alpha"),),
        watch=None,
        applied=older.number,
        applied_commit=older,
        whole=True,
        sync=SyncFacts("verify", 5, 10, 1, 2, 65.0),
        moving=MovingFacts("promotion", "swap", stopped=False),
        seeding=True,
        last_verify=Verified(NOW - 60 * MINUTE, True, True, 0),
        last_rehearsal=Rehearsed(
            NOW - 80 * MINUTE, False, older.number, 4200, 3, "one\nno page\n", "the probe said no"
        ),
        promotion=PromotionFacts(
            (
                Gate("lag", True, "0.2 s", "30 s", old, ""),
                Gate("owed", False, "7 files are not all here", "0", NOW, "--force goes without them"),
            ),
            LossFacts(((b"a", 10), (b"b", 2038)), 12, 2048, 1.5),
            Rto(300, 100),
        ),
        history=_past(3).history,
        history_wanted=7200,
        vault=_past(3).vault,
        time_ns=NOW,
    )


#: What `hikae accept` says to whom it asks; a figure of `hikae check`; what the other words of `whole` and `epoch` are for.
ELSEWHERE = {"hold.gives_up", "applied.until", "first_sync", "opened"}
#: By key: words that stand on one of the two pages because of it. ``peers.``, ``problems.`` and such: of each in that list.
WORDS = {
    "name": "web moving",
    "kind": "/srv/web (tree)",
    "group": "group shop",
    "role": "primary on alpha →",
    "path": "path /srv/web",
    "primary": "standby on beta ← alpha",
    "standbys": "→ beta, gamma, delta, omega",
    "epoch": "epoch 3;",
    "state": "held since",
    "serving": "; it serves;",
    "whole": "epoch 3; it stands as a whole commit",
    "moving.what": "promotion is under way",
    "moving.step": "at the step swap",
    "since": "since 04:10",
    "commit.epoch": "newest commit 3.",
    "commit.seq": "3.1842 of",
    "commit.digest": A_COMMIT.digest.hex(),
    "commit.time": "1842 of 04:14:59",
    "commit.consistent": "; consistent",
    "commit.entries": "in 10 entries",
    "commit.bytes": "1.2 KiB in",
    "applied.epoch": "the standby equals commit 3.",
    "applied.seq": "equals commit 3.1840",
    "applied.time": "1840 of 04:12:00",
    "applied.entries": "in 300 entries",
    "applied.bytes": "2.0 KiB in",
    "sync.phase": "verifying:",
    "sync.done_bytes": "5 bytes of",
    "sync.total_bytes": "of 10 bytes",
    "sync.done_entries": "1 of 2 entries",
    "sync.total_entries": "1 of 2 entries",
    "sync.eta_seconds": "about 1 min 5 s left",
    "watch.kind": "watch inotify",
    "watch.why": "(fanotify needs root)",
    "watch.by_event": "17 changes",
    "watch.by_reconcile": "3 by looking",
    "watch.overflows": "4 times events were lost",
    "watch.last_reconcile": "everything 03:45",
    "entries": "in 10 entries",
    "bytes": "1.2 KiB in",
    "owed": "owed 8 files",
    "seeding": "copied into the vault",
    "pauses.node": "On beta: hikae resume web",
    "pauses.what": "applying is paused",
    "pauses.until": "until 05:25",
    "pauses.by": "by ann (uid 7)",
    "last_verify.time": "verified 03:15",
    "last_verify.equal": ": equal",
    "last_verify.deep": "to the last byte",
    "last_verify.differences": "77 differences",
    "last_rehearsal.time": "rehearsed 02:55",
    "last_rehearsal.ok": "failed:",
    "last_rehearsal.commit.epoch": "rehearsed 02:55 of commit 3.",
    "last_rehearsal.commit.seq": "02:55 of commit 3.1840",
    "last_rehearsal.rto_ms": "it took 4.2 s",
    "last_rehearsal.exit": "exit code 3",
    "last_rehearsal.output": "its last words: no page",
    "last_rehearsal.reason": "failed: the probe said no",
    "promotion.gates.name": "met: lag:",
    "promotion.gates.ok": "1 of 2 gates are met",
    "promotion.gates.value": "lag: 0.2 s",
    "promotion.gates.limit": "asked for: 30 s",
    "promotion.gates.measured": "found 02:45",
    "promotion.gates.remedy": "; --force goes without them",
    "promotion.loss.paths": "not here: a (10 bytes)",
    "promotion.loss.sizes": "not here: b (2.0 KiB)",
    "promotion.loss.count": "12 announced changes",
    "promotion.loss.bytes": "changes (2.0 KiB)",
    "promotion.loss.seconds": "the last 1.5 s would be lost",
    "promotion.rto_ms": "about 400 ms",
    "promotion.rto_hooks_ms": "100 ms of it the hooks",
    "problems.code": "[warning unreadable]",
    "problems.severity": "[info socket-skipped]",
    "problems.since": "(since 04:14",
    "problems.path": "- x: unreadable",
    "problems.message": "unreadable message",
    "problems.remedy": "unreadable remedy",
    "uncounted.unreadable": "and 100 more such",
    "vault.node": "vault on beta: 12.0",
    "vault.said": "vault on omega, heard 04:12:00",
    "vault.bytes": "12.0 GiB of",
    "vault.limit": "of 20.0 GiB",
    "vault.ratio": "3.2 times that",
    "vault.bytes_per_day": "grows by 1.0 GiB a day",
    "vault.full_at": "full Nov 23 04:15",
    "vault.verified.since": "checked since Nov 19 04:15",
    "vault.verified.damaged": "; 2 lost",
    "vault.verified.last.time": "last 04:07",
    "vault.verified.last.checked_bytes": "5.0 MiB",
    "vault.verified.last.damaged": "6 damaged",
    "vault.verified.last.mended": "5 put back",
    "history.node": "history on beta: every",
    "history.said": "history on omega, heard 04:12:00",
    "history.reaches": "moment since 03:14:00",
    "history.until": "until 04:06:00",
    "history.wanted": "wanted: 2 h",
    "history.bytes_per_day": "grows by 1.0 GiB a day",
    "generations.node": "history on beta: every",
    "generations.said": "history on omega, heard 04:12:00",
    "generations.count": "41 generations",
    "generations.oldest": "oldest of 03:25",
    "generations.newest": "newest of 04:13",
    "generations.notes.time": "04:08: the",
    "generations.notes.code": "(generation-taken)",
    "generations.notes.sentence": "the 3th was taken",
    "hold.code": "[mass-deletion]",
    "hold.sentence": "9 of 10 deleted",
    "hold.remedy": "hikae accept web",
    "hold.node": "beta is held:",
    "hold.since": "since 04:11; the standby",
    "hold.generation": "--generation 20261122T040000Z",
    "hold.accepted_on": "on beta: hikae accept",
    "peers.name": "peer 2 gamma",
    "peers.version": "beta 0.1.0",
    "peers.connected": "; not connected since",
    "peers.mode": "0.1.0; streaming",
    "peers.since": "streaming since 04:15",
    "peers.durable_seq": "durable 3.1842",
    "peers.durable_epoch": "durable 3.",
    "peers.applied_seq": "applied 3.1841",
    "peers.applied_epoch": "applied 3.",
    "peers.lag_seconds": "lag 21 ms",
    "peers.behind_bytes": "; 5.0 MiB behind",
    "peers.rate": "1.1 MB/s arrive",
    "peers.change_rate": "4 MB/s change",
    "peers.forecast_seconds": "about 42 s left",
    "peers.forecast_never": "never catches up",
    "peers.rate_limit": "gamma: limited to 2 MB/s",
    "peers.waits_until": "waits until 05:15",
    "peers.limited_by": "first sync waits",
    "peers.received": "received all before 04:15:00",
    "peers.applied": "applied all before 04:14:00",
    "peers.first_sync": "first sync: 75 %, 3 bytes of 4 bytes, 5 of 6 entries, about 7.0 s left",
    "peers.said": "said first at 04:15:00",
    "peers.state": "says of itself: held",
    "peers.hold": "beta is held: 9 of 10",
    "peers.errors": "and 1 more there",
    "peers.warnings": "and 1 more there",
    "peers.worst.code": "[error vault-full]",
    "peers.worst.message": "beta says: the vault is full",
    "peers.worst.remedy": "On beta: raise vault_limit",
    "peers.last_verify": "verified 03:15: 77 differences",
    "peers.sync": "gamma copies what stood there into its vault (31 %); it goes on by itself",
    "peers.vault": "vault on omega, heard 04:12:00: 12.0 GiB of 20.0 GiB",
    "peers.history": "history on omega, heard 04:12:00: every moment",
    "peers.generations": "43 generations",
    "peers.owed": "6 files owed",
    "peers.behind_known": "how far it is behind is not known before it has said",
    "peers.left_behind": "has not followed since this node was promoted",
}


def _keys(value: object, key: str = "") -> set[str]:
    """The keys of a value and all that is in it, but for what one entry of the table stands for."""
    if isinstance(value, list):
        parts = set().union(*(_keys(one, key) for one in value)) if value else set()
        return parts or {key}
    if not isinstance(value, dict) or key in WORDS:
        return {key}
    return set().union(*(_keys(one, f"{key}.{name}".lstrip(".")) for name, one in value.items())) or {key}


def _page(facts: DatasetFacts, node: str) -> tuple[Json, str]:
    status = status_json(a_node(facts, node=node))
    dataset = status["datasets"][0]
    return dataset, " ".join(dataset_page(status, dataset, 200).plain.split())


def test_no_key_is_without_its_words() -> None:
    """A key that JSON gains has an entry in the table, and words on the page."""
    (primary, here), (standby, there) = _page(_primary(), "alpha"), _page(_standby(), "beta")
    keys = _keys(primary) | _keys(standby)
    empty = {key.rpartition(".")[0] for key in WORDS} | {"hold", "moving"}
    assert set() == keys - set(WORDS) - empty - ELSEWHERE
    assert [] == [f"{key}: {words}" for key, words in WORDS.items() if words not in here and words not in there]
    assert set() == set(WORDS) - keys


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"seeding": True, "sync": SyncFacts("seeding", 31, 100)},
            "what stood here is copied into the vault (31 %); it goes on",
        ),
        ({"seeding": True}, "what stood here is copied into the vault; it goes on by itself"),
        (
            {"peers": (a_peer(told=PeerStanding(Standing("seeding"), NOW)),)},
            "beta copies what stood there into its vault; it goes on",
        ),
    ],
)
def test_seeding_says_what_goes_on(told: dict[str, Any], expected: str) -> None:
    """On both nodes, with or without a figure, on both pages; once."""
    status = status_json(a_node(a_dataset(**told)))
    pages = [status_page(status, 200).plain, dataset_page(status, status["datasets"][0], 200).plain]
    assert [1, 1] == [page.count(expected) for page in pages]


def test_each_hold_of_several_is_told() -> None:
    """Of two standbys that are held, both."""
    holds = [
        PeerStanding(Standing("held", Hold("standby-gone", f"{name} has no directory")), NOW) for name in ("b", "c")
    ]
    peers = tuple(a_peer(name=name, told=told) for name, told in zip("bc", holds, strict=True))
    _, text = _page(a_dataset(peers=peers), "alpha")
    assert ("b is held: b has no directory" in text, "c is held: c has no directory" in text) == (True, True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            Rehearsed(NOW, True, commit_number(3, 9), 900, 0, ""),
            "rehearsed 04:15 of commit 3.9: the standby would serve; exit code 0; it took 900 ms ",
        ),
        (
            Rehearsed(NOW, False, commit_number(3, 9), 900, None, "", "too slow"),
            "04:15 of commit 3.9: failed: too slow; killed at its deadline;",
        ),
    ],
)
def test_a_rehearsal_says_how_it_ended(found: Rehearsed, expected: str) -> None:
    """When, of what, with what result, and how long it took."""
    assert expected in _page(replace(_standby(), last_rehearsal=found), "beta")[1]


@pytest.mark.parametrize(("total", "said"), [(None, "; 5.0 MiB behind so far;"), (9 << 20, "; 5.0 MiB behind;")])
def test_what_a_first_sync_lacks_is_so_far_until_it_is_counted(total: int | None, said: str) -> None:
    peer = a_peer(behind_bytes=5 << 20, first_sync=SyncFacts("first-sync", 2 << 20, total))
    assert said in _page(a_dataset(peers=(peer,)), "alpha")[1]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"whole": True}, "epoch 3; it stands as a whole commit"),
        ({"first_sync": True}, "epoch 3; nothing whole stands there yet"),
        ({}, "epoch 3; it is not known to stand as a whole commit"),
    ],
)
def test_a_standby_says_whether_it_can_be_read(told: dict[str, Any], expected: str) -> None:
    """As health goes by it."""
    _, page = _page(a_dataset(role=Role.STANDBY, group=None, **told), "beta")
    assert f"standby on beta ← alpha, {expected} path" in page


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        (Hold("standby-gone", "its directory is gone"), "applied the standby, which is gone, equalled commit 3.1840"),
        (Hold("brake", "a mass deletion"), "applied the standby equals commit 3.1840"),
    ],
)
def test_a_standby_that_is_gone_equals_nothing(hold: Hold, said: str) -> None:
    assert said in _page(replace(_standby(), hold=hold), "beta")[1]
