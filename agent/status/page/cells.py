"""What stands in the table: one row for each peer of a dataset, made of the published value."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.hold import REPLACED
from agent.core.standing import FIRST_SYNC
from agent.status.derive import TELLING
from agent.status.figures import clock_text, size_text
from agent.status.page.layout import Column
from agent.status.published import Json
from agent.status.state import Grade, Role, State, grade_of, rank
from agent.status.text import shown

COLUMNS = (
    Column("DATASET", shrinks=True),
    Column("STATE"),
    Column("PEER", drop=2, shrinks=True),
    Column("RECEIVED", drop=4),
    Column("APPLIED", drop=1),
    Column("VERIFIED", drop=3),
    Column("SIZE", drop=5, right=True),
    Column("ENTRIES", drop=6, right=True),
)
#: Received or applied no longer ago than this is "now": figures are told each second.
_NOW = timedelta(seconds=3)
#: Whatever was applied: it is not there.
_GONE = "gone !"
#: What a standby received may wait here for an operator.
_APPLY_STANDS = (State.HELD, State.PAUSED)
#: The primary says that it has what is newer.
_LACKS = (State.BEHIND, State.CATCHUP)


def rows_of(status: Json, dataset: Json) -> list[tuple[str, ...]]:
    """The dataset's rows; the first bears its name. A dataset without peers has one.

    Where a primary has several peers, each row bears the state of that peer; the state of the dataset has a row of its own then,
    unless it is that of one of them."""
    about, size = (shown(dataset["name"]), state_word(dataset)), _size(dataset)
    peers: list[Json] = dataset["peers"]
    if len(peers) < 2 or dataset["role"] != Role.PRIMARY:
        first = _row(status, dataset, peers[0] if peers else None, about, size)
        return [first, *(_row(status, dataset, peer) for peer in peers[1:])]
    states = [_peer_state(dataset, peer) for peer in peers]
    rows = [_row(status, dataset, peer, ("", _word(state))) for peer, state in zip(peers, states, strict=True)]
    if State(dataset["state"]) in states:
        _, word, *rest = rows[0]
        return [(about[0], word, *rest[:-2], *size), *rows[1:]]
    return [_row(status, dataset, None, about, size), *rows]


def state_word(dataset: Json) -> str:
    """The state; in capitals where somebody has to act."""
    return _word(State(dataset["state"]))


def _word(state: State) -> str:
    return state.value.upper() if grade_of(state) is Grade.BAD else state.value


def _peer_state(dataset: Json, peer: Json) -> State:
    """The worst that is true of this peer and its link: of what it says itself only what is as true of the pair."""
    if not peer["connected"]:
        others = {one["name"] for one in dataset["peers"] if one is not peer}
        stopped = {pause["node"] for pause in dataset["pauses"] if pause["what"] == "send"} - others
        return State.PAUSED if stopped else State.DISCONNECTED
    found = [State(word) for word in (peer["mode"], peer["state"]) if word in TELLING]
    if not any(pause["node"] == peer["name"] for pause in dataset["pauses"]):
        found = [state for state in found if state is not State.PAUSED]  # its hour is over, also before that is said
    if peer["first_sync"] is not None or peer["limited_by"] == "first_sync":
        found.append(State.FIRST_SYNC)
    return min(found, key=rank, default=State.STREAMING)


def _row(
    status: Json,
    dataset: Json,
    peer: Json | None,
    about: tuple[str, str] = ("", ""),
    size: tuple[str, str] = ("", ""),
) -> tuple[str, ...]:
    """``about``: name and state; ``size``: bytes and entries."""
    if peer is None:
        return *about, "", "", "", "", *size
    if dataset["role"] == Role.STANDBY:
        times, told, arrow = _here(status, dataset), dataset["last_verify"], "←"
    else:
        told = peer["last_verify"] or (dataset["last_verify"] if len(dataset["peers"]) == 1 else None)
        stands = _peer_state(dataset, peer) in _APPLY_STANDS and peer["applied_seq"] != peer["durable_seq"]
        times, arrow = (_moment(status, peer, "received"), _moment(status, peer, "applied", stands=stands)), "→"
    return *about, f"{arrow} {shown(peer['name'])}", *times, _verified(status, told), *size


def _moment(status: Json, peer: Json, key: str, *, stands: bool = False) -> str:
    """``now``, a clock with ``!`` where the peer lacks what is newer (``stands``: and will go on to), ``?`` where that is not
    known."""
    if key == "applied" and peer["connected"] and is_gone(peer["hold"]):
        return _GONE
    if peer[key] is None or (key == "applied" and peer["connected"] and peer["state"] == State.REDO):
        unknown = "partly" if peer["first_sync"] else "?"
        return unknown if peer["connected"] else f"{unknown} !"
    now, then = (datetime.fromisoformat(text) for text in (status["clock"], peer[key]))
    return (
        "now"
        if peer["connected"] and now - then <= _NOW and not stands
        else f"{exact_clock(peer[key], status['clock'])} !"
    )


def is_gone(hold: Json | None) -> bool:
    """Whether the tree that was the standby is there no more."""
    return hold is not None and hold["code"] in REPLACED


def _here(status: Json, dataset: Json) -> tuple[str, str]:
    """Of a standby: when the newest commit that it has was made, and the commit that its tree equals. During its first sync it
    has commits that are parts: no moment of its primary; of one that is not open nobody knows what it has."""
    if not dataset.get("opened", True):
        return "?", "?"
    sync = dataset["sync"] or {}
    # Also while what of it is applied is compared, after a crash.
    filled = dataset.get("first_sync") and dataset["applied"] is not None
    if dataset["commit"] is None or filled or sync.get("phase") == FIRST_SYNC:
        some = dataset["commit"] is not None or sync.get("done_bytes")
        return ("partly", "partly") if some else ("nothing", "nothing")
    applied, newest = dataset["applied"], dataset["commit"]
    same = applied is not None and (applied["epoch"], applied["seq"]) == (newest["epoch"], newest["seq"])
    received = exact_clock(newest["time"], status["clock"])
    if is_gone(dataset["hold"]):
        return received, _GONE
    if State(dataset["state"]) in _LACKS:
        received = f"{received} !"
    if same:
        return received, received
    made = (applied or {}).get("time")
    return received, f"{exact_clock(made, status['clock'])} !" if made else "not all !"


def _verified(status: Json, verified: Json | None) -> str:
    if verified is None:
        return "never"
    return f"{clock_text(verified['time'], status['clock'])} {'ok' if verified['equal'] else 'DIFFERS'}"


def _size(dataset: Json) -> tuple[str, str]:
    """Of what stands here: on a standby of what was applied, where that is known."""
    stands = dataset["commit"]
    if dataset["role"] == Role.STANDBY:
        stands = None if is_gone(dataset["hold"]) else dataset["applied"]
    if stands is None or stands["entries"] is None:
        return "", ""
    return size_text(stands["bytes"]), f"{stands['entries']:,}"


def exact_clock(text: str, now: str) -> str:
    """A stamp in local time: with seconds today, with its day otherwise."""
    moment = datetime.fromisoformat(text).astimezone()
    today = datetime.fromisoformat(now).astimezone()
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else clock_text(text, now)
