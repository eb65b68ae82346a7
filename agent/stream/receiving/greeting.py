"""What the answering side makes of a ``Hello``: is the epoch believed, is it met, and what is said of what is here."""

from __future__ import annotations

from agent.core.ids import NO_EPOCH, NOTHING, CommitNumber, Epoch
from agent.store.catalog.catalog import Catalog
from agent.stream import messages, versions
from agent.stream.locator import Locator, is_known, locator_in, newest_common, with_common
from agent.stream.messages import Hello, Refuse, Welcome
from agent.stream.receiving.epoch_pace import EpochPace, too_soon
from agent.stream.receiving.epochs import newest_of, outdated, unbelieved


class Greeting:
    """The first words of one call. ``node``: who answers; its catalog's writing side is the caller's; ``pace``: of the epochs
    that others come with."""

    def __init__(self, node: str, hello: Hello, catalog: Catalog, pace: EpochPace) -> None:
        self._node = node
        self._pace = pace
        self._hello = hello
        self._catalog = catalog

    def refusal(self) -> Refuse | None:
        """Why nothing is said of what is here: no version that both speak, or an epoch that is not believed, or not yet."""
        if self.version is None:
            return versions.refusal(self._node, versions.SPOKEN, self._hello)
        newest, hello = self._catalog.newest(), self._hello
        lineage = self._catalog.lineage
        refusal = unbelieved(hello.node, hello.epoch, lineage, newest.number if newest else None)
        if refusal is None and not self._pace.takes(hello.epoch, newest_of(lineage).number):
            return too_soon(hello.node, hello.epoch)
        return refusal

    @property
    def version(self) -> int | None:
        """The newest that both speak."""
        return versions.agree(versions.SPOKEN, self._hello.versions)

    def meet(self) -> Refuse | None:
        """Durably meet the epoch of the ``Hello``, once it is believed; what is said where it is not the newest."""
        epoch, known = self._hello.epoch, self._newest_epoch()
        if (refusal := outdated(epoch, known)) is not None:
            return refusal
        if epoch.number > known.number:
            self._catalog.begin_epoch(epoch, self._hello.reason)
        return None

    def welcome(self, applied: CommitNumber, lacking: bool, asks_first: bool, *, patches: bool) -> Welcome:
        """What is here. ``applied``: to the standby, not yet judged; the others as in ``Welcome``."""
        newest = self._catalog.newest()
        durable = newest.number if newest else NOTHING
        return Welcome(
            node=self._node,
            epoch=self._epoch_of(durable),
            durable=durable,
            durable_digest=newest.digest if newest else b"",
            applied=min(durable, applied),
            credit=messages.CREDIT,
            version=self.version or 0,
            lacking=lacking,
            asks_first=asks_first,
            compact=True,
            patches=patches,
            met=self._newest_epoch(),
            owed=self._catalog.owing,
            locator=self._locator(),
            met_reason=self._catalog.reason_of(self._newest_epoch()),
        )

    def _locator(self) -> Locator:
        common = newest_common(self._hello.locator, lambda mark: is_known(self._catalog, mark))
        return with_common(locator_in(self._catalog), common)

    def _newest_epoch(self) -> Epoch:
        return newest_of(self._catalog.lineage)

    def _epoch_of(self, durable: CommitNumber) -> Epoch:
        return self._catalog.epoch_of_commit(durable) or NO_EPOCH
