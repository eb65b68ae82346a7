"""A moment that is named by one word, whatever kind of name that is: of a generation, a time, a mark, or ``now``."""

from __future__ import annotations

from agent.core.errors import NotFound, UsageError
from agent.core.ids import NOTHING, CommitNumber
from agent.generations.local_time import is_like_a_time, time_from, time_text
from agent.generations.moments import Moment, Watching, generation_moment, moment_at, newest_at
from agent.status.text import shown
from agent.store.catalog.reader import Reading

NOW = "now"
_FIND = "find the moment"


def any_moment(reader: Reading, dataset: str, said: str, asking: Watching) -> Moment:
    """The moment that ``said`` names. Raises as ``generation_moment`` and ``moment_at``."""
    if said == NOW:
        return _newest(reader, dataset)
    try:
        found = generation_moment(reader, dataset, said)
        _refuse_two(reader, said, found)
        return found
    except NotFound as error:
        if is_like_a_time(said):
            return moment_at(reader, dataset, said, asking)
        try:
            return moment_at(reader, dataset, said, asking)
        except NotFound:
            if not reader.generations():
                raise error from None
            reason = f"{dataset} has no generation of that name or label, and its history no mark"
            remedy = f'hikae generations list {dataset} shows them; a time is written like "2026-11-22 02:13"'
            raise NotFound(_FIND, shown(said), reason, remedy) from None


def _refuse_two(reader: Reading, said: str, found: Moment) -> None:
    """A label that a generation and a mark of another moment share names neither of them."""
    marks = [one for one in reader.labelled(reader.horizon(), said) if one.number != found.number] if said else []
    if found.label == said and said and marks:
        words = f"generation {found.name} and the mark of {time_text(marks[-1].time)} both have this label"
        raise UsageError(_FIND, shown(said), words, "give the generation's name, or the time")


def bounds(
    reader: Reading, dataset: str, since: str, until: str, asking: Watching
) -> tuple[CommitNumber, CommitNumber | None]:
    """The first and the last commit that count between two moments, of which each may be "". A time may lie before all history,
    and in the future: then it bounds nothing. Raises as :func:`any_moment`."""
    low = _bound(reader, dataset, since, asking) if since else NOTHING
    return low, _bound(reader, dataset, until, asking) if until else None


def _bound(reader: Reading, dataset: str, said: str, asking: Watching) -> CommitNumber:
    """The commit that was the newest at that moment: what stood then counts."""
    if is_like_a_time(said) and not any(one.name.startswith(said.upper()) for one in reader.generations()):
        return newest_at(reader, time_from(said, asking.now, asking.zone))
    return any_moment(reader, dataset, said, asking).number


def _newest(reader: Reading, dataset: str) -> Moment:
    commit = reader.newest()
    if commit is None:
        raise NotFound(_FIND, dataset, "nothing has been received yet", "see hikae status")
    return Moment(commit.number, "", commit.time, commit.provenance.label, commit.consistent)
