"""What became of generations and of the vault's chunks, found by comparing two published datasets: on the node that has them, and
on each that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from agent.status.event import Event
from agent.status.figures import size_text
from agent.status.published import Json

_NO_NOTES: Json = {"notes": []}
#: Whether an event was told before, perhaps by an earlier run of the agent.
WasTold: TypeAlias = Callable[[Event], bool]


def kept_events(name: str, old: Json, new: Json, was_told: WasTold) -> Iterator[Event]:
    """Here, and at each peer; of a peer that is heard first, what was not told before."""
    if _own(old) and _own(new):
        yield from _checked(name, old, new, "")
        yield from _noted(name, old, new, "")
    before = {peer["name"]: peer for peer in old["peers"]}
    for peer in new["peers"]:
        who, known = f"{peer['name']}: ", before.get(peer["name"], {})
        yield from _checked(name, known, peer, who)
        if known.get("generations"):
            yield from _noted(name, known, peer, who)
        else:
            yield from (event for event in _notes(name, peer, "", who) if not was_told(event))


def _own(dataset: Json) -> bool:
    """Whether what is kept is kept here, and not only told of by a peer."""
    return any(dataset.get(key) and not dataset[key]["said"] for key in ("vault", "generations"))


def _noted(name: str, old: Json, new: Json, who: str) -> Iterator[Event]:
    last = max((note["time"] for note in (old["generations"] or _NO_NOTES)["notes"]), default="")
    yield from _notes(name, new, last, who)


def _notes(name: str, new: Json, last: str, who: str) -> Iterator[Event]:
    """What was noted after ``last``, a stamp of that node's clock."""
    for note in (new.get("generations") or _NO_NOTES)["notes"]:
        if note["time"] > last:
            yield Event(name, note["code"], f"{who}{note['sentence']}")


def _checked(name: str, old: Json, new: Json, who: str) -> Iterator[Event]:
    """Chunks of the vault that were read since, a share or all."""
    if not old.get("vault") or not new.get("vault"):
        return
    last = new["vault"]["verified"]["last"]
    if last is None or last == old["vault"]["verified"]["last"]:
        return
    read = f"{who}{size_text(last['checked_bytes'])} of what the vault keeps was read"
    if not last["damaged"]:
        yield Event(name, "generations-verified", f"{read}, and is as it should be")
        return
    count = "1 chunk is" if last["damaged"] == 1 else f"{last['damaged']:,} chunks are"
    whole = last["mended"] == last["damaged"]
    put_back = "all put back" if whole else f"{last['mended']:,} put back"
    severity = "warning" if whole else "error"
    yield Event(name, "generations-verified", f"{read}: {count} damaged, {put_back}", severity)
