"""The datasets of a node, which come, change and go with its configuration while the others run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from concurrent.futures import ThreadPoolExecutor

import structlog

from agent.config.changes import ConfigChanges
from agent.config.values import Dataset, Settings
from agent.core.errors import TryAgain
from agent.node.context import Surroundings
from agent.node.member import Member

_CLOSED_AT_ONCE = 16
_log = structlog.get_logger("node")


class Roster(Mapping[str, Member]):
    """The members by name. Read by any thread: who reads sees those of one moment, since it is replaced as a whole."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._around = around
        self._now = {dataset.name: Member(dataset, around) for dataset in settings.datasets}
        self._lock = threading.Lock()
        self._closed = False

    def __getitem__(self, name: str) -> Member:
        return self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def values(self) -> ValuesView[Member]:
        """Those of this moment."""
        return self._now.values()

    def take(self, found: ConfigChanges, read: Settings, put_in_force: Callable[[], None]) -> frozenset[str]:
        """Do what was found: close those that are gone or are to be opened anew, have the settings put in force while these rest,
        then go on with all. ``read``: what the files say. The names of those whose primary in the files is in vain.

        Returns when nothing of the old is open; the new is opened by the next ticks. Raises ``TryAgain`` when the agent is
        stopping: nothing has changed then."""
        with self._lock:
            if self._closed:
                raise TryAgain("read the configuration", self._around.node, "the agent is stopping")
            old = self._now
            self._now = {name: member for name, member in old.items() if name not in found.gone}
            for name in found.gone | found.reopened:
                old[name].leave()
            _all(Member.close, [old[name] for name in found.gone])
            _all(Member.rest, [old[name] for name in found.reopened])
            put_in_force()
            ignored = self._configured(found, {dataset.name: dataset for dataset in read.datasets})
            self._now = {dataset.name: self._member(dataset) for dataset in found.settings.datasets}
        return ignored

    def _configured(self, found: ConfigChanges, read: Mapping[str, Dataset]) -> frozenset[str]:
        wanted = {dataset.name: dataset for dataset in found.settings.datasets}
        kept = {name: member for name, member in self._now.items() if name in wanted}
        ignored = [name for name, one in kept.items() if one.configure(wanted[name], read.get(name, wanted[name]))]
        _all(Member.redial, kept.values())
        for name in found.reopened:
            kept[name].go_on()
        return frozenset(ignored)

    def _member(self, dataset: Dataset) -> Member:
        return self._now.get(dataset.name) or Member(dataset, self._around)

    def close(self) -> None:
        """All at once: each may have to wait a few seconds for what it is about. None comes any more."""
        with self._lock:
            self._closed = True
            _all(Member.close, self._now.values())


def _all(act: Callable[[Member], None], members: Iterable[Member]) -> None:
    """At once; one that meets a bug keeps none of the others from it."""
    members = list(members)
    with ThreadPoolExecutor(_CLOSED_AT_ONCE, "hikae-close") as pool:
        done = [(member, pool.submit(act, member)) for member in members]
    for member, future in done:
        if (error := future.exception()) is not None:
            _log.error(
                "a dataset met a bug while it was closed or configured",
                dataset=member.dataset.name,
                exc_info=error,
            )
