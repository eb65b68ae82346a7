"""Down the directories that a pattern leads to, whenever they stood there."""

from __future__ import annotations

from collections.abc import Iterator

from agent.generations.finding.pattern import Pattern
from agent.generations.finding.readable import ReadableMoments
from agent.generations.finding.ways import Stay
from agent.store.catalog.reader import CatalogReader


def walked(reader: CatalogReader, moments: ReadableMoments, top: Stay, pattern: Pattern) -> Iterator[bytes]:
    """The paths below ``top`` that match, some more than once."""
    walk, matches = _Walk(pattern, moments, reader), pattern.compiled().fullmatch
    levels = [walk.below(top, b"", 0)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            continue
        path, stay = entry
        if matches(path):
            yield path
        if walk.goes_below(len(levels)):
            levels.append(walk.below(stay, path + b"/", len(levels)))


class _Walk:
    """Which entries the pattern leads to."""

    def __init__(self, pattern: Pattern, moments: ReadableMoments, reader: CatalogReader) -> None:
        self._moments = moments
        self._reader = reader
        #: Names that stand at a depth of their own.
        self._fixed = pattern.fixed()
        self._steps = [Pattern(b"", (part,)).compiled().fullmatch for part in self._fixed]
        self._is_endless = len(self._fixed) < len(pattern.parts)

    def goes_below(self, depth: int) -> bool:
        """Whether anything that is looked for may stand deeper than so many directories."""
        return self._is_endless or depth < len(self._fixed)

    def below(self, above: Stay, prefix: bytes, depth: int) -> Iterator[tuple[bytes, Stay]]:
        """What stood in a directory, and may be meant."""
        part, matches = (self._fixed[depth], self._steps[depth]) if depth < len(self._fixed) else (None, None)
        if part is not None and part.literal is not None:
            entries = iter(self._reader.stood_for(above.object, part.literal))
        else:
            entries = self._reader.entries_through(above.object)
        for entry in entries:
            since, until = max(above.since, entry.since), min(above.until, entry.until)
            if (matches is None or matches(entry.name)) and self._moments.might_see(since, until):
                yield prefix + entry.name, Stay(entry.object, since, until)
