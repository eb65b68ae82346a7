"""What stands in the table: one row for each peer of a dataset, made of the published value."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.core.hold import REPLACED
from agent.status.figures import clock_text, size_text
from agent.status.page.layout import Column
from agent.status.published import Json
from agent.status.state import Grade, Role, State, grade_of
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
    """The dataset's rows; the first bears its name and state, the others only a peer. A dataset without peers has one."""
    about = (shown(dataset["name"]), state_word(dataset), *_size(dataset))
    peers: list[Json | None] = list(dataset["peers"]) or [None]
    return [_row(status, dataset, peer, about if at == 0 else ("", "", "", "")) for at, peer in enumerate(peers)]


def state_word(dataset: Json) -> str:
    """The state; in capitals where somebody has to act."""
    state = State(dataset["state"])
    return state.value.upper() if grade_of(state) is Grade.BAD else state.value


def _row(status: Json, dataset: Json, peer: Json | None, about: tuple[str, ...]) -> tuple[str, ...]:
    name, state, size, entries = about
    if peer is None:
        return name, state, "", "", "", "", size, entries
    if dataset["role"] == Role.STANDBY:
        received, applied = _here(status, dataset)
        return (
            name,
            state,
            f"← {shown(peer['name'])}",
            received,
            applied,
            _verified(status, dataset["last_verify"]),
            size,
            entries,
        )
    told = peer["last_verify"] or (dataset["last_verify"] if len(dataset["peers"]) == 1 else None)
    stands = State(dataset["state"]) in _APPLY_STANDS and peer["applied_seq"] != peer["durable_seq"]
    times = (_moment(status, peer, "received"), _moment(status, peer, "applied", stands=stands))
    return name, state, f"→ {shown(peer['name'])}", *times, _verified(status, told), size, entries


def _moment(status: Json, peer: Json, key: str, *, stands: bool = False) -> str:
    """``now``, a clock with ``!`` where the peer lacks what is newer (``stands``: and will go on to), ``?`` where that is not
    known."""
    if key == "applied" and peer["connected"] and _is_gone(peer["hold"]):
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


def _is_gone(hold: Json | None) -> bool:
    """Whether the tree that was the standby is there no more."""
    return hold is not None and hold["code"] in REPLACED


def _here(status: Json, dataset: Json) -> tuple[str, str]:
    """Of a standby: when the newest commit that it has was made, and the commit that its tree equals."""
    if dataset["commit"] is None:
        some = (dataset["sync"] or {}).get("done_bytes")
        return ("partly", "partly") if some else ("nothing", "nothing")
    applied, newest = dataset["applied"], dataset["commit"]
    same = applied is not None and (applied["epoch"], applied["seq"]) == (newest["epoch"], newest["seq"])
    received = exact_clock(newest["time"], status["clock"])
    if _is_gone(dataset["hold"]):
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
        stands = None if _is_gone(dataset["hold"]) else dataset["applied"]
    if stands is None or stands["entries"] is None:
        return "", ""
    return size_text(stands["bytes"]), f"{stands['entries']:,}"


def exact_clock(text: str, now: str) -> str:
    """A stamp in local time: with seconds today, with its day otherwise."""
    moment = datetime.fromisoformat(text).astimezone()
    today = datetime.fromisoformat(now).astimezone()
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else clock_text(text, now)
