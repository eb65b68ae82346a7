"""What is kept of the past: shown on the node that has it and on those that are told."""

from __future__ import annotations

from dataclasses import replace

from agent.core.kept import EXPIRED, TAKEN, HistoryFacts, KeptNote, KeptPast, VaultCheck, VaultFacts, VaultVerified
from agent.core.standing import PeerStanding, Standing
from agent.status.events import Event, events_between
from agent.status.facts import PeerFacts
from agent.status.for_peers import standing_of
from agent.status.page.long_form import dataset_page
from agent.status.published import Json, status_json
from agent.status.state import Role
from fakes.api_fakes import MINUTE, NOW, a_dataset, a_node, a_peer
from fakes.idle import happened_between

HISTORY = HistoryFacts(NOW - 60 * MINUTE, 3, NOW - 50 * MINUTE, NOW - MINUTE, (KeptNote(NOW - MINUTE, TAKEN, "one"),))
VAULT = VaultFacts(12 << 30, 20 << 30, 3.2, 1 << 30, NOW + 999 * MINUTE)
KEYS = ("vault", "history", "generations")


def telling(past: KeptPast, at: int = NOW - MINUTE, **more: object) -> PeerFacts:
    """A peer that says what it keeps."""
    return a_peer(told=PeerStanding(Standing("streaming", past=past), at), **more)


def dataset_of(*peers: PeerFacts) -> Json:
    """What the primary publishes beside these peers."""
    dataset: Json = status_json(a_node(a_dataset(peers=peers)))["datasets"][0]
    return dataset


def test_the_primary_shows_what_its_standby_keeps() -> None:
    """As the standby publishes it of itself, but for whose it is and when that was heard."""
    facts = a_dataset(role=Role.STANDBY, history=HISTORY, history_wanted=3600, vault=VAULT)
    own = status_json(a_node(facts, node="beta"))["datasets"][0]
    told = standing_of(facts, "alpha").past
    assert told is not None
    here = dataset_of(telling(KeptPast(told.history, told.wanted, replace(VAULT))))
    assert {key: own[key] | {"said": "2026-11-22T04:14:00.000000Z"} for key in KEYS} == {key: here[key] for key in KEYS}
    assert [here[key] for key in KEYS] == [here["peers"][0][key] for key in KEYS]


def test_of_several_the_one_that_keeps_most_is_shown() -> None:
    """It is connected, and its oldest moment is the oldest; a generation is one."""
    far = KeptPast(HistoryFacts(NOW - MINUTE, 1, NOW - 90 * MINUTE))
    peers = (
        telling(KeptPast(HISTORY), name="beta"),
        telling(far, name="gamma"),
        telling(KeptPast(HistoryFacts(1, 9)), name="delta", connected=False),
        a_peer(name="omega"),
    )
    assert ("gamma", 1) == tuple(dataset_of(*peers)["generations"][key] for key in ("node", "count"))
    assert [None] * 3 == [dataset_of(a_peer())[key] for key in KEYS]


def test_the_page_says_where_it_is_kept() -> None:
    """And how old that word is, once the peer is not connected any more."""
    texts = []
    for connected in (True, False):
        status = status_json(a_node(a_dataset(peers=(telling(KeptPast(HISTORY, 3600, VAULT), connected=connected),))))
        texts.append(" ".join(dataset_page(status, status["datasets"][0], 200).plain.split()))
    assert "history on beta: every moment since" in texts[0]
    assert "vault on beta: 12.0 GiB of 20.0 GiB" in texts[0]
    assert "history on beta, heard " in texts[1]


def test_what_gains_a_little_each_second_is_no_news() -> None:
    """A forecast and growth that differ by as much as a second brings are told alike."""
    later = replace(VAULT, full_at_ns=(VAULT.full_at_ns or 0) + 1, bytes_per_day=(VAULT.bytes_per_day or 0) - 1)
    told = [standing_of(a_dataset(history=HISTORY, vault=vault), "beta") for vault in (VAULT, later)]
    assert told[0] == told[1]


def test_what_became_of_generations_is_an_event_on_both_nodes() -> None:
    """Once, also where a peer is heard first; not what was known; a word that this release does not know is passed over."""
    noted = (*HISTORY.notes, KeptNote(NOW, EXPIRED, "two"), KeptNote(NOW + 1000, "generation-lent", "three"))
    after = replace(HISTORY, notes=noted)
    own = [status_json(a_node(a_dataset(role=Role.STANDBY, history=one))) for one in (HISTORY, after)]
    told = [status_json(a_node(a_dataset(peers=(telling(KeptPast(one)),)))) for one in (HISTORY, after)]
    fresh = status_json(a_node(a_dataset(peers=(a_peer(),))))
    found = [
        [(one.code, one.message) for one in events_between(*both, was_told) if one.code != "agent-started"]
        for both in ((own[0], own[1]), (told[0], told[1]), (fresh, told[1]), (told[1], told[1]))
    ]
    assert [[("generation-expired", "two")], *[[("generation-expired", "beta: two")]] * 2, []] == found


def was_told(event: Event) -> bool:
    """All but the second of the notes was told by an earlier run."""
    return event.message != "beta: two"


def test_a_check_of_the_vault_is_an_event_where_it_is_told() -> None:
    """With the node that did it."""
    pasts = [
        KeptPast(HISTORY, 0, replace(VAULT, verified=VaultVerified(None, 0, last)))
        for last in (None, VaultCheck(5, 2048, 1, 1))
    ]
    values = [status_json(a_node(a_dataset(peers=(telling(past),)))) for past in pasts]
    assert ["beta: 2.0 KiB of what the vault keeps was read: 1 chunk is damaged, all put back"] == [
        one.message for one in happened_between(values[0], values[1])
    ]
