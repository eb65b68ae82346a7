"""What a promotion of a standby now would be: read off what its node knows anyway, at each look at its status."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.config.values import Dataset
from agent.core.problem_codes import STATE_DISK_FULL, STATE_DISK_RESERVE, VAULT_FULL
from agent.node.promoting.asking import STOPPED
from agent.roles.gates import LastWord, OtherStandby, PrimarySeen, StandbyView, promotion_gates
from agent.status.facts import DatasetFacts
from agent.status.promotion import LossFacts, PromotionFacts, Rto
from agent.steps.at_boot import NOT_LOOKED, BootSeen

#: Of a primary that never said anything.
NOTHING_KNOWN = LossFacts()
_NO_ROOM = frozenset({STATE_DISK_RESERVE, STATE_DISK_FULL, VAULT_FULL})


@dataclass(frozen=True, slots=True)
class Witness:
    """What is known beside the status of the dataset. ``kept_since``: since when a standby is kept here (UTC ns, 0: never);
    ``clock``: what is wrong with this node's clock, "" if nothing is; ``word``: what the primary said last; ``answered``: what it
    answered just now, "" where it was not asked or did not answer, and ``stopped`` as which state that serves nothing;
    ``boot``: what would start by itself; ``missing``: hooks whose program is not there, with that; ``prepared``: whether
    before_promote has run."""

    kept_since: int
    clock: str
    word: LastWord | None = None
    loss: LossFacts = NOTHING_KNOWN
    rto: Rto | None = None
    answered: str = ""
    others: tuple[OtherStandby, ...] = ()
    boot: BootSeen = NOT_LOOKED
    missing: tuple[tuple[str, str], ...] = ()
    stopped: str = ""
    prepared: bool = False


def promotion_of(facts: DatasetFacts, dataset: Dataset, witness: Witness) -> PromotionFacts:
    """The gates of a promotion of this standby, what it would lose, and how long it would take. Pure."""
    number = facts.commit.number if facts.commit is not None else 0
    # What the primary says that it is late by is of what it captured; before all of that came there is more that is not here.
    loss = replace(witness.loss, seconds=None) if _is_filled(facts) else witness.loss
    return PromotionFacts(promotion_gates(view_of(facts, dataset, witness)), loss, witness.rto, number)


def view_of(facts: DatasetFacts, dataset: Dataset, witness: Witness) -> StandbyView:
    """What its gates are judged by."""
    return StandbyView(
        dataset=facts.name,
        now=facts.time_ns,
        primary=_seen(facts, witness),
        promote=dataset.promote,
        hooks=dataset.hooks,
        commit=facts.commit,
        owed=facts.owed,
        hold=facts.hold,
        word=witness.word,
        verified=facts.last_verify,
        rehearsed=facts.last_rehearsal,
        kept_since=witness.kept_since,
        clock=witness.clock,
        boot=witness.boot,
        missing=witness.missing,
        prepared=witness.prepared,
        shortage="; ".join(one.message for one in facts.problems if one.code in _NO_ROOM),
        others=witness.others,
        seeding=_seeding(facts),
        filled=_is_filled(facts),
    )


def _is_filled(facts: DatasetFacts) -> bool:
    """Whether its first sync goes on and not all of it was received: applying the rest loses nothing."""
    return facts.first_sync and (facts.commit is None or not facts.commit.consistent)


def _seeding(facts: DatasetFacts) -> str:
    if not facts.seeding:
        return ""
    sync = facts.sync
    if sync is None or sync.phase != "seeding" or not sync.total_bytes:
        return "the vault has not all that stands here yet"
    return f"the vault has {100 * sync.done_bytes // sync.total_bytes} % of what stands here"


def _seen(facts: DatasetFacts, witness: Witness) -> PrimarySeen:
    peer = next((one for one in facts.peers if one.name == facts.primary), None)
    connected = peer is not None and peer.connected
    since = peer.since_ns if peer is not None and peer.told is not None else 0
    said = peer.told.standing.state if connected and peer is not None and peer.told is not None else ""
    stopped = said if said in STOPPED else witness.stopped
    return PrimarySeen(facts.primary, connected, since or None, witness.answered, stopped)
