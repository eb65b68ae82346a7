"""Moments of this node's history that other nodes read: only of datasets that they share, and leased as long as they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.core.clock import Clock
from agent.core.errors import NotFound, Refused
from agent.generations.afar import NamedMoment, OpenMoment, open_here
from agent.generations.any_moment import NOW, any_moment
from agent.generations.moments import Moment, Watching, moment_of
from agent.node.member import Member
from agent.node.reigning.own_history import OwnHistory
from agent.node.standby import Standby
from agent.status.text import shown
from agent.store.catalog.reader import CatalogReader


class SharedMoments:
    """Satisfies ``generations.afar.PeersMoments``. Any thread. ``members``: looked up at each call."""

    def __init__(self, members: Callable[[], Mapping[str, Member]], clock: Clock) -> None:
        self._members = members
        self._clock = clock

    def open_for(self, peer: str, named: NamedMoment) -> OpenMoment:
        """See ``PeersMoments``."""
        side = self._history(peer, named)
        reader = side.reader()
        try:
            moment = self._moment(reader, named)
            if isinstance(side, OwnHistory):
                side.require(moment)
        except BaseException:
            reader.close()
            raise
        return open_here(reader, side.vault.read, moment, f"{shown(named.reader)} on {peer}")

    def _moment(self, reader: CatalogReader, named: NamedMoment) -> Moment:
        asking = Watching(self._clock.now_ns())
        if named.at == NOW and not named.generation:
            return any_moment(reader, named.dataset, NOW, asking)
        return moment_of(reader, named.dataset, named.generation, named.at, asking)

    def _history(self, peer: str, named: NamedMoment) -> Standby | OwnHistory:
        member = self._members().get(named.dataset)
        if member is None or peer not in (member.assigned.primary, *member.assigned.standbys):
            reason = f"this node shares no such dataset with {peer}"
            raise NotFound("find the dataset", shown(named.dataset), reason, "see hikae config show on both nodes")
        if member.side is not None and not member.keeps_history:
            where = ", ".join(member.assigned.standbys)
            reason = f"{member.node} keeps no history of it: it is its primary"
            raise Refused("read a moment", named.dataset, reason, f"read it from {where}")
        return member.history()
