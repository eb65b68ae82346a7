"""What happened, as a list that a person can read: found by comparing two published values, kept bounded."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from agent.status.event import OPERATOR, Event
from agent.status.kept_events import WasTold, kept_events
from agent.status.published import Json
from agent.status.state import Grade, State, grade_of

__all__ = ["Event", "EventLog", "events_between"]

#: So many events are kept in memory, and can be asked for.
KEPT = 10_000
#: So many problems of one code are named when they come or go at once; the rest is counted.
NAMED_AT_ONCE = 10
_SEVERITIES = {Grade.GOOD: "info", Grade.WATCH: "warning", Grade.BAD: "error"}


_Key: TypeAlias = tuple[str, str]
#: Problems that came with so many others of their code that they were only counted, each by dataset, code and path.
Unnamed: TypeAlias = set[tuple[str, str, str]]


def events_between(old: Json | None, new: Json, was_told: WasTold, unnamed: Unnamed | None = None) -> list[Event]:
    """What happened from one published value to the next; ``old`` is None at the start of the agent. ``was_told`` is asked where
    the two cannot say whether something is news. ``unnamed``: those of ``old``, and of ``new`` afterwards."""
    counted = set() if unnamed is None else unnamed
    if old is None:
        events = [Event("", "agent-started", f"hikae {new['version']} on {new['node']}")]
        old = {"problems": [], "datasets": []}
    else:
        events = []
    events += _problem_events("", old, new, counted)
    before = {dataset["name"]: dataset for dataset in old["datasets"]}
    after = {dataset["name"]: dataset for dataset in new["datasets"]}
    for name, dataset in after.items():
        events += _dataset_events(name, before.get(name), dataset, was_told, counted)
    gone = [name for name in before if name not in after]
    events += [Event(name, "dataset-gone", _gone(name)) for name in gone]
    counted -= {one for one in counted if one[0] in gone}
    return events


def _gone(name: str) -> str:
    return f"no longer configured; what is kept of it goes with: hikae dataset remove {name}"


def _dataset_events(name: str, old: Json | None, new: Json, was_told: WasTold, counted: Unnamed) -> Iterator[Event]:
    if old is None:
        yield Event(name, "dataset-present", f"{new['role']}, {new['state']}")
        old = {"problems": [], "peers": [], "role": new["role"], "state": new["state"], "epoch": new["epoch"]}
    if new["epoch"] and old["epoch"] != new["epoch"]:
        # Of a dataset that was not open the epoch was not known.
        yield Event(
            name, "epoch", f"{old['epoch']} → {new['epoch']}" if old["epoch"] else f"it is in epoch {new['epoch']}"
        )
    if old["role"] != new["role"]:
        yield Event(name, "role", f"{old['role']} → {new['role']}")
    if old["state"] != new["state"]:
        yield Event(name, "state", f"{old['state']} → {new['state']}", _SEVERITIES[grade_of(State(new["state"]))])
    yield from _verify_events(name, old, new)
    yield from kept_events(name, old, new, was_told)
    yield from _peer_events(name, old, new)
    yield from _problem_events(name, old, new, counted)


def _verify_events(name: str, old: Json, new: Json) -> Iterator[Event]:
    """A verify that came to its end since, here or at a peer; not what was known when the agent began."""
    heard = {peer["name"]: peer["last_verify"] for peer in old["peers"] if peer["said"]}
    if "last_verify" in old and new["last_verify"] and new["last_verify"] != old["last_verify"]:
        yield _verified(name, "the standby", new["last_verify"])
    for peer in new["peers"]:
        told = peer["last_verify"]
        if told and peer["name"] in heard and told != heard[peer["name"]]:
            yield _verified(name, f"the standby on {peer['name']}", told)


def _verified(name: str, what: str, verify: Json) -> Event:
    how = "to the last byte" if verify["deep"] else "by names and metadata"
    if verify["equal"]:
        return Event(name, "verified", f"{what} is equal to its commit ({how})")
    return Event(name, "verified", f"{what} has {verify['differences']:,} differences ({how})", "error")


def _peer_events(name: str, old: Json, new: Json) -> Iterator[Event]:
    before = {peer["name"]: peer["connected"] for peer in old["peers"]}
    for peer in new["peers"]:
        if before.get(peer["name"], False) != peer["connected"]:
            if peer["connected"]:
                yield Event(name, "peer-connected", f"{peer['name']} is connected")
            else:
                yield Event(name, "peer-disconnected", f"{peer['name']} is not connected any more", "warning")


def _problem_events(name: str, old: Json, new: Json, counted: Unnamed) -> Iterator[Event]:
    """What came is named, up to so many of a code at once; what went, where it was named when it came."""
    before, after = _by_key(old), _by_key(new)
    came = [problem for key, problem in after.items() if key not in before]
    went = [problem for key, problem in before.items() if key not in after]
    named, rest = _first_of_each(came)
    yield from _told(name, "raised", named, rest)
    were = [one for one in went if _place(name, one) not in counted]
    named, more = _first_of_each(were)
    yield from _told(name, "cleared", named, more + [one for one in went if _place(name, one) in counted])
    counted -= {_place(name, one) for one in went}
    counted |= {_place(name, one) for one in rest}


def _place(name: str, problem: Json) -> tuple[str, str, str]:
    return name, problem["code"], problem["path"]


def _by_key(holder: Json) -> dict[_Key, Json]:
    return {(problem["code"], problem["path"]): problem for problem in holder["problems"]}


def _first_of_each(problems: list[Json]) -> tuple[list[Json], list[Json]]:
    """Those that are named, and the others."""
    counts: Counter[str] = Counter()
    named, rest = list[Json](), list[Json]()
    for problem in problems:
        counts[problem["code"]] += 1
        (named if counts[problem["code"]] <= NAMED_AT_ONCE else rest).append(problem)
    return named, rest


def _told(name: str, what: str, named: list[Json], rest: list[Json]) -> Iterator[Event]:
    """``rest``: only how many there are of each code."""
    for problem in named:
        where = f"{problem['path']}: " if problem["path"] else ""
        severity = problem["severity"] if what == "raised" else "info"
        yield Event(name, problem["code"], f"{what}: {where}{problem['message']}", severity)
    codes = {problem["code"] for problem in named}
    for code, count in Counter(problem["code"] for problem in rest).items():
        beside = "more" if code in codes else "of those that were only counted"
        yield Event(name, code, f"{what}: {count:,} {beside}")


class EventLog:
    """The newest events, in memory and as JSON lines in a file that restarts outlive.

    Thread-safe. The file is a convenience: when it cannot be written, memory still holds the events and
    ``trouble`` says why. It is turned over to ``<path>.1`` at ``file_limit`` bytes, so it takes at most twice that."""

    def __init__(self, path: str | None, *, limit: int = KEPT, file_limit: int = 4 << 20) -> None:
        self._path = Path(path) if path else None
        self._file_limit = file_limit
        self._lock = threading.Lock()
        self._kept: deque[Json] = deque(maxlen=limit)
        self._next = 1
        self.trouble: str | None = None

    def open(self) -> None:
        """Read what earlier runs left; a torn last line is passed over."""
        if self._path is None:
            return
        with self._lock:
            for path in (self._older(self._path), self._path):
                self._kept.extend(_read(path))
            if self._kept:
                self._next = self._kept[-1]["id"] + 1
            _end_torn_line(self._path)

    def add(self, time: str, events: Iterable[Event]) -> None:
        """Append ``events``, which happened at ``time`` (a stamp), and tell each in the journal."""
        with self._lock:
            rows = [{"id": self._next + place, "time": time, **asdict(event)} for place, event in enumerate(events)]
            if not rows:
                return
            self._next += len(rows)
            self._kept.extend(rows)
            self._write(rows)
            _tell_journal(rows)

    def since(self, event_id: int, limit: int) -> list[Json]:
        """The newest ``limit`` events with a greater id than ``event_id``, oldest first: ``{"id", "time", "dataset",
        "code", "message", "severity"}``."""
        with self._lock:
            found = [row for row in self._kept if row["id"] > event_id]
        return found[-limit:] if limit > 0 else []

    def has(self, event: Event) -> bool:
        """Whether the very same stands here, told by this run of the agent or an earlier one."""
        said = asdict(event)
        with self._lock:
            return any(said.items() <= row.items() for row in self._kept)

    def _write(self, rows: list[Json]) -> None:
        if self._path is None:
            return
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        try:
            if self._path.exists() and self._path.stat().st_size + len(data) > self._file_limit:
                os.replace(self._path, self._older(self._path))
            with open(self._path, "ab", opener=_for_us_alone) as file:
                file.write(data)
            self.trouble = None
        except OSError as error:
            self.trouble = str(error)

    @staticmethod
    def _older(path: Path) -> Path:
        return path.with_name(path.name + ".1")


def _for_us_alone(path: str, flags: int) -> int:
    """Events name paths, and not everybody may know them, whatever the directory is that an operator made."""
    return os.open(path, flags, 0o600)


def _tell_journal(rows: list[Json]) -> None:
    import structlog  # commands that read start without it

    from agent.status.log import whatever_the_level

    log, always = structlog.get_logger("events"), whatever_the_level("events")
    for row in rows:
        to = always if row["code"] == OPERATOR else log
        getattr(to, row["severity"])(row["message"], code=row["code"], dataset=row["dataset"] or None)


def _read(path: Path) -> Iterator[Json]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("id"), int):
            yield row


def _end_torn_line(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    except OSError:
        return
