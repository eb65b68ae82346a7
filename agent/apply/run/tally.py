"""What a run did, and what it still has to look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.apply.results import ApplyProgress, Report
from agent.core.ids import ObjectId


@dataclass(slots=True)
class Tally:
    """What was done so far: keys, bytes of content written, entries moved aside, objects that could not be made."""

    report: Report
    done_entries: int = 0
    total_entries: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    displaced: int = 0
    failed: int = 0

    def progress(self, entries: int) -> None:
        """So many keys more are done."""
        self.done_entries = min(self.done_entries + entries, self.total_entries)
        self.report(ApplyProgress(self.done_entries, self.total_entries, self.done_bytes, self.total_bytes))


@dataclass(slots=True)
class Due:
    """What a phase leaves to a later one. All of it is empty at the end of a run that did not fail."""

    #: Directories that we adopted without knowing them: strangers may be inside.
    doubtful: list[ObjectId] = field(default_factory=list)
    #: Directories that should have been there and had to be made anew: all below is to be looked at, once.
    hollow: list[ObjectId] = field(default_factory=list)
    #: Those that were hollow already in this run.
    surveyed: set[ObjectId] = field(default_factory=set)
    #: Files that came back from ``.hikae/m`` during a survey: what is in them is not known.
    unchecked: list[ObjectId] = field(default_factory=list)
    #: Objects whose metadata is set when everything inside is done.
    touched: set[ObjectId] = field(default_factory=set)
