"""A primary whose state comes from an old image: a peer holds commits of this node's own reign that it does not know.

The mark ``rewound.json`` outlives a restart. It lies among the state that is old, so putting the newest copy of that back takes
it away; the other way out is to begin a higher epoch from what stands here now (``lineage.ask_to_start_over``).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.core.ids import NOTHING, CommitNumber, Epoch, shown
from agent.core.problem import Problem, Severity
from agent.fs.durable import write_durably
from agent.store.catalog import Catalog
from agent.stream.source import LineageBroken

MARK = "rewound.json"
#: The problem's code, and the peer's word for: you have begun a newer epoch than the one that you come with.
REWOUND = "rewound"


@dataclass(frozen=True, slots=True)
class Rewound:
    """Who is ahead. ``epoch``: the highest that the peer has met; ``theirs``: its newest commit, of this ``digest``, ``NOTHING``
    when it named only the epoch; ``ours``: the newest here when that was noticed, at ``since`` (UTC ns)."""

    peer: str
    epoch: int
    theirs: CommitNumber
    ours: CommitNumber
    since: int
    digest: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, for an operator."""
        if self.theirs == NOTHING:
            ahead = f"{self.peer} has met epoch {self.epoch} of this node, whose newest commit is {shown(self.ours)}"
        elif self.theirs > self.ours:
            newest = f"the newest here was {shown(self.ours)}"
            ahead = f"{self.peer} is ahead: it holds commit {shown(self.theirs)} of this node's own epoch, {newest}"
        else:
            ahead = f"{self.peer} holds another commit {shown(self.theirs)} of this node's own epoch than this node"
        moment = datetime.fromtimestamp(self.since / 1e9, UTC).astimezone()
        return f"this node's state is an old copy: {ahead} (found {moment:%Y-%m-%d %H:%M}); nothing is sent"

    def problem(self, dataset: str, home: Path) -> Problem:
        """For status. ``home``: where the dataset's state lies."""
        remedy = (
            f"stop the agent, put the newest copy of {home} back and start it; "
            f"or, if what stands here now is right: hikae accept {dataset}"
        )
        return Problem(REWOUND, Severity.ERROR, self.since, b"", self.sentence, remedy)


def is_rewound(failure: LineageBroken, own: Epoch, newest: CommitNumber) -> bool:
    """Whether a peer's newest commit shows that our state is old: it is of our own reign, and is ahead of us or another than
    ours of that number. (Older than all that we keep, it is only too long ago.)"""
    return failure.epoch == own and (failure.durable > newest or failure.differs)


def read(home: Path) -> Rewound | None:
    """The mark, None when there is none. One that cannot be read still is one."""
    path = home / MARK
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(text)
        numbers = (CommitNumber(int(found["theirs"])), CommitNumber(int(found["ours"])))
        return Rewound(str(found["peer"]), int(found["epoch"]), *numbers, int(found["since"]), str(found["digest"]))
    return Rewound("a peer", 0, NOTHING, NOTHING, path.stat().st_mtime_ns)


def read_and_settle(home: Path, catalog: Catalog) -> Rewound | None:
    """The mark, unless the state that it lies in is that of the peer by now, because the newest copy was laid over the old one.

    Raises ``OSError``."""
    mark = read(home)
    if mark is None or mark.theirs == NOTHING:
        return mark
    commit = catalog.commit_at(mark.theirs)
    if commit is None or commit.digest.hex() != mark.digest:
        return mark
    forget(home)
    return None


def write(home: Path, mark: Rewound) -> None:
    """Remember it durably. Raises ``OSError``."""
    write_durably(str(home / MARK), json.dumps(asdict(mark)).encode() + b"\n")


def forget(home: Path) -> None:
    """A higher epoch is begun, or is about to be."""
    (home / MARK).unlink(missing_ok=True)
