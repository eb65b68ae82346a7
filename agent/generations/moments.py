"""What an operator names → the commit that is meant, or a sentence why there is none. Reads the catalog, changes nothing.

::

    --generation  20261122T031500Z   by its name, or by as much of it as only one has
                  before-upgrade     by its label
                  latest, latest~2   the newest, the one two before it
    --at          2026-11-22 02:13   the state at that moment, in local time (``local_time``)
                  before-upgrade     a mark's label
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

from agent.core.commit import Commit
from agent.core.errors import NotFound, Refused, UsageError
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.generations.local_time import is_like_a_time, time_from, time_text
from agent.status.text import shown
from agent.store.catalog.generation import Generation
from agent.store.catalog.reader import Reading

_LATEST = re.compile(r"latest(?:~(\d{1,9}))?", re.ASCII)
#: ns: what a moment that is shown leaves out.
_SHOWN = 1000
#: So many names are told of those that could be meant.
_TOLD = 5
_FIND = "find the generation"
_FIND_MOMENT = "find the moment"


@dataclass(frozen=True, slots=True)
class Moment:
    """A state that can be read. ``number``: its commit; ``name``: the generation that it is, "" for a moment of history;
    ``time``: when its last change was captured, by the primary (UTC ns); ``label``: the generation's or the mark's;
    ``consistent``: law 3."""

    number: CommitNumber
    name: str
    time: int
    label: str
    consistent: bool = True

    def sentence(self, zone: tzinfo | None = None) -> str:
        """What is meant, to be said before anything is done with it."""
        what = f"generation {self.name}" if self.name else "the state"
        label = f" ({shown(self.label)})" if self.label else ""
        half = "" if self.consistent else ", in the middle of a first sync or a walk: not consistent"
        return f"{what}{label} as of {time_text(self.time, zone)}, commit {shown_commit(self.number)}{half}"


@dataclass(frozen=True, slots=True)
class Watching:
    """Who asks: ``now`` (UTC ns), and the zone of the clocks there (None: this machine's)."""

    now: int
    zone: tzinfo | None = None


def moment_of(reader: Reading, dataset: str, generation: str, at: str, asking: Watching) -> Moment:
    """The moment that a command names by exactly one of the two. Raises as :func:`generation_moment` and :func:`moment_at`."""
    if bool(generation) == bool(at):
        raise UsageError(_FIND_MOMENT, dataset, "one of --generation and --at is needed, and only one")
    return generation_moment(reader, dataset, generation) if generation else moment_at(reader, dataset, at, asking)


def generation_moment(reader: Reading, dataset: str, said: str) -> Moment:
    """The moment of a generation. Raises as :func:`named`, and ``NotFound`` when it is gone meanwhile."""
    found = named(reader.generations(), dataset, said)
    commit = reader.commit_at(found.number)
    if commit is None:
        raise NotFound(_FIND, found.name, "it was expired just now", _lists(dataset))
    return Moment(found.number, found.name, commit.time, found.label, commit.consistent)


def named(generations: list[Generation], dataset: str, said: str) -> Generation:
    """The one of ``generations`` (the oldest first) that ``said`` names: ``latest``, its name, its label, the beginning of its
    name; the first of these that fits. Raises ``NotFound`` for none, ``UsageError`` for several."""
    if not generations:
        remedy = f"hikae generations take {dataset} takes one; --at names any moment of the history"
        raise NotFound(_FIND, dataset, "it has no generation yet", remedy)
    if back := _LATEST.fullmatch(said):
        return _back(generations, dataset, int(back[1] or 0))
    for fits in (
        [one for one in generations if one.name == said],
        [one for one in generations if said and one.label == said],
        [one for one in generations if said and one.name.startswith(said.upper())],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            names = ", ".join(one.name for one in fits[-_TOLD:])
            more = f" and {len(fits) - _TOLD} more" if len(fits) > _TOLD else ""
            raise UsageError(_FIND, shown(said), f"{len(fits)} are meant by it: {names}{more}", "give more of its name")
    raise NotFound(_FIND, shown(said), f"no generation of {dataset} has that name or label", _lists(dataset))


def moment_at(reader: Reading, dataset: str, said: str, asking: Watching) -> Moment:
    """The state of ``dataset`` at a local time, or at a mark.

    Raises ``UsageError`` for a time that is none and for a label of several marks, ``NotFound`` for an unknown label and for a
    moment before the reach of history, ``Refused`` for one in the future."""
    if not is_like_a_time(said):
        return _mark(reader, dataset, said, asking.zone)
    time = time_from(said, asking.now, asking.zone)
    if time > asking.now:
        reason = f"it is in the future: now it is {time_text(asking.now, asking.zone)}"
        raise Refused(_FIND_MOMENT, time_text(time, asking.zone), reason, "name a moment that has been")
    number = newest_at(reader, time)
    commit = reader.commit_at(number) if number else None
    # A generation from before the horizon is not the state of every moment after it.
    if commit is None or number < reader.horizon():
        raise _before_the_reach(reader, dataset, time, asking.zone)
    return _of_history(commit)


def newest_at(reader: Reading, time: int) -> CommitNumber:
    """The newest commit at that moment (UTC ns). Moments are shown to the microsecond: all of it counts, so that the time of a
    commit names that commit."""
    return reader.readable_up_to(reader.newest_before(time + _SHOWN))


def oldest_readable(reader: Reading) -> Commit | None:
    """The oldest commit from which on every moment can be read; None before anything came."""
    found = reader.commits(CommitNumber(max(NOTHING, reader.horizon() - 1)), 1)
    return found[0] if found else None


def _mark(reader: Reading, dataset: str, label: str, zone: tzinfo | None) -> Moment:
    found = reader.labelled(reader.horizon(), label) if label else []
    if len(found) > 1:
        times = ", ".join(time_text(one.time, zone) for one in found[-_TOLD:])
        raise UsageError(_FIND_MOMENT, shown(label), f"{len(found)} marks have this label: {times}", "give the time")
    if not found:
        taken = any(one.label == label for one in reader.generations()) if label else False
        remedy = f"a generation has that label: --generation {shown(label)}" if taken else "give a time"
        raise NotFound(_FIND_MOMENT, shown(label), f"no mark in the history of {dataset} has that label", remedy)
    return _of_history(found[0])


def _of_history(commit: Commit) -> Moment:
    return Moment(commit.number, "", commit.time, commit.provenance.label, commit.consistent)


def _before_the_reach(reader: Reading, dataset: str, time: int, zone: tzinfo | None) -> NotFound:
    oldest = oldest_readable(reader)
    if oldest is None:
        return NotFound(_FIND_MOMENT, dataset, "nothing has been received yet", "see hikae status")
    reason = f"history reaches back to {time_text(oldest.time, zone)} only"
    before = [one for one in reader.generations() if (commit := reader.commit_at(one.number)) and commit.time <= time]
    remedy = f"the generation before it: --generation {before[-1].name}" if before else _lists(dataset)
    return NotFound(_FIND_MOMENT, time_text(time, zone), reason, remedy)


def _lists(dataset: str) -> str:
    return f"hikae generations list {dataset} shows them"


def _back(generations: list[Generation], dataset: str, back: int) -> Generation:
    if back >= len(generations):
        reason = f"{dataset} has {len(generations)} of them" if len(generations) > 1 else f"{dataset} has one"
        raise NotFound(_FIND, f"latest~{back}", reason, _lists(dataset))
    return generations[-1 - back]
