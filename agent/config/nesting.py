"""A dataset below another one's path: allowed where something is mounted, or where the outer one excludes what is there.

Everything else would be replicated twice, and two standbys would be laid over each other. What is mounted is known of this node
only, so each node judges its own paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import permutations

from agent.config.mistakes import Mistake
from agent.config.patterns import compiled, literal
from agent.config.units import shown_value
from agent.config.values import Dataset, Settings

_MOUNTS = "/proc/self/mountinfo"
#: mountinfo writes blanks and the like as three octal digits (proc(5)).
_OCTAL = re.compile(rb"\\([0-7]{3})")


def below(path: str, directory: str) -> str | None:
    """``path`` relative to ``directory``, where it lies really below it; else None."""
    start = directory.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) and len(path) > len(start) else None


def nested(settings: Settings) -> Iterator[Mistake]:
    """Datasets of this node that lie in each other and may not, wherever symbolic links lead."""
    places = [(dataset, os.path.realpath(dataset.path)) for dataset in settings.datasets]
    mounted = None
    for (outer, around), (inner, path) in permutations(places, 2):
        relative = below(path, around)
        if relative is None or is_left_out(relative, outer):
            continue
        mounted = mount_points() if mounted is None else mounted
        if not any(below(point, around) and (point == path or below(path, point)) for point in mounted):
            text = (
                f'{shown_value(inner.path)} lies in the path of dataset "{outer.name}", and nothing is mounted there; '
                f"mount it, or write {shown_value(literal(relative))} into exclude of {outer.name}, or write another place"
            )
            yield Mistake(settings.source_files[0], f"dataset[{inner.name}].path", text)


def apart(dataset: Dataset, others: Iterable[Dataset]) -> frozenset[bytes]:
    """Where other datasets of this node lie below this one's path, relative to it."""
    return _below(os.path.realpath(dataset.path), [os.path.realpath(other.path) for other in others])


def all_apart(datasets: Iterable[Dataset]) -> dict[str, frozenset[bytes]]:
    """Of each by its name: where the others lie below it (:func:`apart`)."""
    places = {dataset.name: os.path.realpath(dataset.path) for dataset in datasets}
    return {name: _below(around, places.values()) for name, around in places.items()}


def _below(around: str, paths: Iterable[str]) -> frozenset[bytes]:
    found = (below(path, around) for path in paths)
    return frozenset(os.fsencode(relative) for relative in found if relative is not None)


def is_left_out(relative: str, outer: Dataset) -> bool:
    """Whether the outer dataset's rules exclude this directory, or one above it."""
    spec = compiled(outer.exclude, outer.include)
    names = relative.split("/")
    return any(spec.match_file("/".join(names[:count]) + "/") for count in range(1, len(names) + 1))


def mount_points() -> list[str]:
    """Every mount point that this process sees."""
    return [point for point, _ in mounts()]


def mounts() -> list[tuple[str, str]]:
    """Every mount point that this process sees, and the type of filesystem that is mounted there."""
    with open(_MOUNTS, "rb") as file:
        return [(_point(line), os.fsdecode(line.partition(b" - ")[2].split(b" ", 1)[0])) for line in file]


def _point(line: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(_octal, line.split(b" ", 5)[4]))


def _octal(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])
