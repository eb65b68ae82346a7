"""What is kept of a dataset's past, as JSON: by this node where it has the vault, else by the peer that keeps most."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.core.kept import NOTED, HistoryFacts, KeptPast, VaultFacts, VaultVerified
from agent.status.facts import DatasetFacts, PeerFacts
from agent.status.figures import stamp
from agent.status.json_value import Json
from agent.status.text import shown

_NOTHING: Json = {"vault": None, "history": None, "generations": None}


def past_of_dataset(facts: DatasetFacts, node: str) -> Json:
    """``{"vault", "history", "generations"}``: each null, or with the ``node`` that keeps it and when that was ``said``, null for
    this node's own."""
    if facts.history is not None:
        return _past(KeptPast(facts.history, facts.history_wanted, facts.vault), node, None)
    if facts.vault is not None:
        return {**_NOTHING, "vault": {"node": node, "said": None, **_vault(facts.vault)}}
    most = keeps_most(facts.peers)
    return past_of_peer(most) if most is not None else _NOTHING


def past_of_peer(peer: PeerFacts) -> Json:
    """The same, as ``peer`` said it last."""
    told = peer.told
    if told is None or told.standing.past is None:
        return _NOTHING
    return _past(told.standing.past, peer.name, told.at)


def keeps_most(peers: Sequence[PeerFacts]) -> PeerFacts | None:
    """Of the peers that say what they keep, the one to go to: one that is connected first, then the one whose oldest moment is
    the oldest, then the one with most generations."""
    telling = [
        (peer.connected, -_oldest(past.history), past.history.generations, peer)
        for peer in peers
        if peer.told is not None and (past := peer.told.standing.past) is not None
    ]
    return max(telling, key=lambda one: one[:3])[3] if telling else None


def _oldest(history: HistoryFacts) -> float:
    """UTC ns of the oldest moment that can be brought back; later than any where there is none."""
    return min((one for one in (history.reaches_ns, history.oldest_ns) if one is not None), default=math.inf)


def _past(past: KeptPast, node: str, said: int | None) -> Json:
    whose = {"node": node, "said": stamp(said)}
    return {
        "vault": {**whose, **_vault(past.vault)} if past.vault is not None else None,
        "history": {**whose, **_history(past)},
        "generations": {**whose, **_generations(past.history)},
    }


def _vault(vault: VaultFacts) -> Json:
    return {
        "bytes": vault.bytes,
        "limit": vault.limit,
        "ratio": vault.ratio,
        "bytes_per_day": vault.bytes_per_day,
        "full_at": stamp(vault.full_at_ns),
        "verified": _vault_verified(vault.verified),
    }


def _vault_verified(verified: VaultVerified) -> Json:
    last = verified.last
    return {
        "since": stamp(verified.since_ns),
        "damaged": verified.damaged,
        "last": None
        if last is None
        else {
            "time": stamp(last.time_ns),
            "checked_bytes": last.checked_bytes,
            "damaged": last.damaged,
            "mended": last.mended,
        },
    }


def _history(past: KeptPast) -> Json:
    growth = past.vault.bytes_per_day if past.vault is not None else None
    history = past.history
    reaches, until = stamp(history.reaches_ns), stamp(history.until_ns)
    return {"reaches": reaches, "until": until, "wanted": past.wanted, "bytes_per_day": growth}


def _generations(history: HistoryFacts) -> Json:
    """``notes``: what became of some of them since that node opened the dataset, the newest last; a code of an event each."""
    newest, oldest = stamp(history.newest_ns), stamp(history.oldest_ns)
    notes = [
        {"time": stamp(note.at), "code": note.code, "sentence": shown(note.sentence)}
        for note in history.notes
        if note.code in NOTED
    ]
    return {"count": history.generations, "newest": newest, "oldest": oldest, "notes": notes}
