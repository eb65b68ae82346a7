"""One peer of a dataset in the long form: all that is known of it and that it says of itself."""

from __future__ import annotations

from agent.status.figures import clock_text, count_text, size_text, span_text
from agent.status.page.cells import exact_clock
from agent.status.published import Json
from agent.status.sentences import behind_known, so_far, sync_text


def peer_text(status: Json, peer: Json) -> str:
    """In one sentence; a hold and what else is wrong there are told below."""
    parts = [f"{peer['name']}{' ' + peer['version'] if peer['version'] else ''}", peer["mode"] or "not connected"]
    if peer["since"]:
        parts[-1] += f" since {clock_text(peer['since'], status['clock'])}"
    parts += [
        f"{key} all before {exact_clock(peer[key], status['clock'])}" for key in ("received", "applied") if peer[key]
    ]
    return "; ".join([*parts, *_positions(peer), *_lacks(peer), *_says(status, peer)])


def _positions(peer: Json) -> list[str]:
    parts = []
    if peer["durable_seq"]:
        parts.append(
            f"durable {peer['durable_epoch']}.{peer['durable_seq']}, applied {peer['applied_epoch']}.{peer['applied_seq']} there"
        )
    if peer["lag_seconds"] is not None:
        parts.append(f"lag {span_text(peer['lag_seconds'])}")
    if peer["behind_bytes"]:
        parts.append(f"{size_text(peer['behind_bytes'])} behind{so_far(peer)}")
    elif not behind_known(peer):
        parts.append("how far it is behind is not known before it has said what it has")
    return parts


def _lacks(peer: Json) -> list[str]:
    """What keeps it from being the same as the primary beside what is on its way."""
    parts = []
    if peer["first_sync"] is not None:
        parts.append(f"first sync: {sync_text(peer['first_sync'])}")
    if peer["owed"]:
        parts.append(f"{count_text(peer['owed'], 'file')} owed, of which something cannot be read here")
    if peer.get("left_behind"):
        parts.append("has not followed since this node was promoted")
    return parts


def _says(status: Json, peer: Json) -> list[str]:
    parts = []
    if peer["state"]:
        # Of a first sync this node knows more itself.
        under_way = f": {sync_text(peer['sync'])}" if peer.get("sync") and not peer["first_sync"] else ""
        said = f" (said first at {exact_clock(peer['said'], status['clock'])})"
        parts.append(f"says of itself: {peer['state']}{under_way}{said}")
    if peer["last_verify"]:
        parts.append(f"verified {verify_text(status, peer['last_verify'])}")
    return parts


def verify_text(status: Json, verified: Json) -> str:
    """When, what was found, and how far was looked."""
    how = "to the last byte" if verified["deep"] else "by names, sizes and times"
    found = "equal" if verified["equal"] else f"{verified['differences']:,} differences"
    return f"{clock_text(verified['time'], status['clock'])}: {found} ({how})"
