"""Nodes that call a standby as if they were its primary, and are not by what it knows: what each of them is answered."""

from __future__ import annotations

from agent.config.values import Dataset
from agent.core.commit import CommitKind
from agent.core.ids import Epoch
from agent.core.problem_codes import BUSY
from agent.node import meeting
from agent.node.context import SideContext
from agent.roles.new_primary import CallerStanding, WhatIsHere, judge_caller
from agent.status.state import Role
from agent.store.catalog.catalog import Catalog
from agent.stream.locator import newest_shared
from agent.stream.messages import Hello, Refuse
from agent.stream.receiving.epoch_pace import too_soon


class OtherCallers:
    """Of one standby, which judges each caller by what is here. By the threads of the calls.

    ``superseded_by``: what the node said of itself last that reigns later and lacks what is here, None while nobody does;
    ``follows``: the reign of another node that has all that is here, which the standby is to follow from its next call on."""

    def __init__(self, context: SideContext, catalog: Catalog) -> None:
        self.superseded_by: Hello | None = None
        self.follows: Epoch | None = None
        self._context = context
        self._catalog = catalog

    def answer(self, peer: str, hello: Hello, dataset: Dataset, *, recorded: bool) -> Refuse:
        """What ``peer`` is answered. One that lacks something which is here waits for an operator. ``recorded``: that another is
        the primary stands in a record; else in the configuration."""
        node, primary = self._context.around.node, self._context.assigned.primary
        made = self._judged(peer, hello, dataset)
        if made is CallerStanding.STRANGER:
            return meeting.not_primary(node, primary, hello, recorded=recorded, known=self._known)
        if made is CallerStanding.BEHIND:
            self.superseded_by = hello
            meeting.tell_ahead(self._context.board, dataset, hello, self._context.around.clock.now_ns())
            return meeting.is_ahead(node, hello)
        if self.follows != hello.epoch and not self._context.pace.takes(hello.epoch, self._known):
            return too_soon(peer, hello.epoch)
        self.follows = hello.epoch
        return Refuse(BUSY, f"{node} is about to follow {peer}", "it goes on by itself")

    @property
    def _known(self) -> int:
        known = self._catalog.known_epoch
        return known.number if known is not None else 0

    def _judged(self, peer: str, hello: Hello, dataset: Dataset) -> CallerStanding:
        if self._context.assigned.role is not Role.STANDBY:
            return CallerStanding.STRANGER  # it is being promoted itself
        with self._catalog.reader() as reader:
            newest = reader.newest()
            # All that is here alone is a generation already: a rejoin kept it, and who was to be followed then may be gone.
            kept = newest is not None and newest.provenance.kind is CommitKind.DIVERGENCE
            mark = None if kept else newest_shared(reader)
            here = WhatIsHere((dataset.primary, *dataset.standby), reader.lineage, mark)
        return judge_caller(peer, hello.epoch, hello.locator, here)
