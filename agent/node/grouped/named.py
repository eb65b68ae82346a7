"""What an operator names of a group → the generation of each of its datasets, all of one moment, or why there is none. Pure.

::

    --generation  20261122T031500Z, its beginning, its label, latest~1    as of one dataset, among the moments of the group
    --at          2026-11-22 02:13                                        the newest moment of the group that was taken by then
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.core.errors import NotFound, Refused, UsageError
from agent.generations.local_time import is_like_a_time, time_from, time_text
from agent.generations.moments import Watching, named
from agent.status.text import shown
from agent.store.catalog.generation import Generation

_FIND = "find the moment of the group"
_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class MomentOfGroup:
    """``name`` and ``label`` of the moment, when it was ``taken`` (UTC ns), and by dataset the name of the generation that is of
    it."""

    name: str
    label: str
    taken: int
    parts: Mapping[str, str]

    def sentence(self, group: str) -> str:
        """What is meant, to be said before anything is done with it."""
        label = f" ({shown(self.label)})" if self.label else ""
        return f"moment {self.name}{label} of group {group}, taken {time_text(self.taken)}"


def moments_of_group(group: str, kept: Mapping[str, Sequence[Generation]]) -> list[MomentOfGroup]:
    """The moments of a group, the oldest first. ``kept``: the generations of each dataset."""
    parts: dict[str, dict[str, Generation]] = {}
    for dataset, generations in kept.items():
        for one in generations:
            if one.group == group:
                parts.setdefault(one.moment, {})[dataset] = one
    found = [(name, next(iter(of.values())), of) for name, of in parts.items()]
    found.sort(key=lambda one: (one[1].taken, len(one[0]), one[0]))
    return [
        MomentOfGroup(name, first.label, first.taken, {dataset: one.name for dataset, one in of.items()})
        for name, first, of in found
    ]


def moment_of_group(
    group: str, kept: Mapping[str, Sequence[Generation]], generation: str, at: str, asking: Watching
) -> MomentOfGroup:
    """The moment that a command names by exactly one of the two, with a generation of each dataset.

    Raises ``NotFound`` for none, ``UsageError`` for several and for what is no time, ``Refused`` for a time in the future and for
    a moment that lacks a dataset."""
    if bool(generation) == bool(at):
        reason = "one of --generation and --at is needed, and only one"
        raise UsageError(_FIND, group, reason, "--generation latest is the newest moment")
    moments = moments_of_group(group, kept)
    if not moments:
        remedy = f"hikae generations take --group {group} takes one; each dataset can be brought back by itself"
        raise NotFound(_FIND, group, "no generation of all its datasets has been taken", remedy)
    found = _named(group, kept, moments, generation) if generation else _taken_by(group, moments, at, asking)
    if lacking := kept.keys() - found.parts.keys():
        raise _lacks(group, found, moments, set(kept), lacking)
    return found


def _named(
    group: str, kept: Mapping[str, Sequence[Generation]], moments: Sequence[MomentOfGroup], said: str
) -> MomentOfGroup:
    by_name = {one.moment: one for generations in kept.values() for one in generations if one.group == group}
    rows = [replace(by_name[one.name], name=one.name, label=one.label) for one in moments]
    name = named(rows, f"group {group}", said).name
    return next(one for one in moments if one.name == name)


def _taken_by(group: str, moments: Sequence[MomentOfGroup], said: str, asking: Watching) -> MomentOfGroup:
    if not is_like_a_time(said):
        reason = "it is no time, and a mark is of one dataset"
        raise UsageError(
            _FIND, shown(said), reason, "give a time, or --generation with the label of a moment of the group"
        )
    time = time_from(said, asking.now, asking.zone)
    if time > asking.now:
        reason = f"it is in the future: now it is {time_text(asking.now, asking.zone)}"
        raise Refused(_FIND, time_text(time, asking.zone), reason, "name a moment that has been")
    # Names show whole seconds: the one that was taken within the second that is named counts.
    found = [one for one in moments if one.taken < time + _SECOND]
    if not found:
        reason = f"the oldest moment of group {group} was taken {time_text(moments[0].taken, asking.zone)}"
        raise NotFound(_FIND, time_text(time, asking.zone), reason, "bring each dataset back by itself (--at)")
    return found[-1]


def _lacks(
    group: str, found: MomentOfGroup, moments: Sequence[MomentOfGroup], datasets: set[str], lacking: set[str]
) -> Refused:
    names = ", ".join(sorted(lacking))
    whole = [one.name for one in moments if datasets <= one.parts.keys()]
    remedy = f"the newest that has all: --generation {whole[-1]}" if whole else "bring each dataset back by itself"
    reason = f"it has no generation of {names} any more: it was let go of, or the dataset was not in the group then"
    return Refused(_FIND, f"{group}: {found.name}", reason, remedy)
