"""What the answering side makes of a ``Hello``: is the epoch believed, is it met, and what is said of what is here."""

from __future__ import annotations

from agent.core.ids import (
    EPOCH_STEP,
    NO_EPOCH,
    NOTHING,
    CommitNumber,
    Epoch,
    epoch_of,
    may_follow,
)
from agent.core.problem_codes import EPOCH_NOT_OWN, EPOCH_TOO_HIGH, STALE_EPOCH
from agent.store.catalog.catalog import Catalog
from agent.stream import messages, versions
from agent.stream.footing import TOKEN_SIZE, precedes
from agent.stream.locator import Locator, is_known, locator_in, newest_common, with_common
from agent.stream.messages import Hello, Refuse, Welcome

#: What a node that has nothing counts from: the number that the first primary of all takes.
_FIRST_EPOCH = 1


class Greeting:
    """The first words of one call. ``node``: who answers; its catalog's writing side is the caller's."""

    def __init__(self, node: str, hello: Hello, catalog: Catalog) -> None:
        self._node = node
        self._hello = hello
        self._catalog = catalog

    def refusal(self) -> Refuse | None:
        """Why nothing is said of what is here: no version that both speak, or an epoch that is not believed."""
        if self.version is None:
            return versions.refusal(self._node, versions.SPOKEN, self._hello)
        return self._unbelieved(self._hello.epoch)

    @property
    def version(self) -> int | None:
        """The newest that both speak."""
        return versions.agree(versions.SPOKEN, self._hello.versions)

    def meet(self) -> Refuse | None:
        """Durably meet the epoch of the ``Hello``, once it is believed; what is said where it is not the newest."""
        epoch, known = self._hello.epoch, self._newest_epoch()
        if not precedes(epoch, known):
            reason = (
                f"epoch {epoch.number} of {epoch.owner} is not the newest: {known.owner} holds epoch {known.number}"
            )
            return Refuse(STALE_EPOCH, reason, f"see hikae status on {epoch.owner}", known.number)
        if epoch.number > known.number:
            self._catalog.begin_epoch(epoch, self._hello.reason)
        return None

    def welcome(self, applied: CommitNumber, lacking: bool, asks_first: bool) -> Welcome:
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
            patches=True,
            met=self._newest_epoch(),
            owed=self._catalog.owing,
            locator=self._locator(),
            met_reason=self._catalog.reason_of(self._newest_epoch()),
        )

    def _locator(self) -> Locator:
        common = newest_common(self._hello.locator, lambda mark: is_known(self._catalog, mark))
        return with_common(locator_in(self._catalog), common)

    def _newest_epoch(self) -> Epoch:
        lineage = self._catalog.lineage
        return lineage[-1] if lineage else NO_EPOCH

    def _epoch_of(self, durable: CommitNumber) -> Epoch:
        return self._catalog.epoch_of_commit(durable) or NO_EPOCH

    def _unbelieved(self, epoch: Epoch) -> Refuse | None:
        """Why an epoch cannot be what the primary says; its owner is who speaks. Numbers rise by a step for each epoch of which
        there is a commit, and else by one, so nobody can take them away."""
        owner = self._hello.node
        remedy = f"look at {owner}: its agent is faulty or hostile"
        if epoch.owner != owner or not epoch.number or len(epoch.token) != TOKEN_SIZE:
            reason = (
                f"{owner} comes with epoch {epoch.number} of {epoch.owner or 'nobody'}, and not with one of its own"
            )
            return Refuse(EPOCH_NOT_OWN, reason, remedy)
        if any(epoch.token == known.token and epoch != known for known in self._catalog.lineage):
            return Refuse(EPOCH_NOT_OWN, f"epoch {epoch.number} of {owner} has the id of another epoch", remedy)
        newest = self._catalog.newest()
        known, met = epoch_of(newest.number) if newest else _FIRST_EPOCH, self._newest_epoch().number
        if epoch.number > met and epoch.number != met + 1 and not may_follow(epoch.number, known):
            reason = (
                f"epoch {epoch.number} of {owner} is more than {EPOCH_STEP:,} above {known}, which is the newest here"
            )
            return Refuse(EPOCH_TOO_HIGH, reason, remedy)
        return None
