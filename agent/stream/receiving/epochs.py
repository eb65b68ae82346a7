"""Is the epoch believed that a primary comes with, and is it the newest? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.ids import EPOCH_STEP, NO_EPOCH, CommitNumber, Epoch, epoch_of, may_follow
from agent.core.problem_codes import EPOCH_NOT_OWN, EPOCH_TOO_HIGH, STALE_EPOCH
from agent.stream.footing import TOKEN_SIZE, precedes
from agent.stream.guards import EVERY_GUARD, RoleGuards
from agent.stream.messages import Refuse

#: What a node that has nothing counts from: the number that the first primary of all takes.
_FIRST_EPOCH = 1


def newest_of(lineage: Sequence[Epoch]) -> Epoch:
    """The newest epoch that was met or begun; ``NO_EPOCH`` before any."""
    return lineage[-1] if lineage else NO_EPOCH


def unbelieved(
    speaker: str,
    epoch: Epoch,
    lineage: Sequence[Epoch],
    newest: CommitNumber | None,
    guards: RoleGuards = EVERY_GUARD,
) -> Refuse | None:
    """Why an epoch cannot be what the ``speaker`` says; its owner is who speaks. Numbers rise by a step for each epoch of which
    there is a commit, and else by one, so nobody can take them away. ``newest``: the commit that is here."""
    remedy = f"look at {speaker}: its agent is faulty or hostile"
    owned = epoch.owner == speaker or not guards.owner_speaks
    if not owned or not epoch.number or len(epoch.token) != TOKEN_SIZE:
        reason = f"{speaker} comes with epoch {epoch.number} of {epoch.owner or 'nobody'}, and not with one of its own"
        return Refuse(EPOCH_NOT_OWN, reason, remedy)
    if any(epoch.token == known.token and epoch != known for known in lineage):
        return Refuse(EPOCH_NOT_OWN, f"epoch {epoch.number} of {speaker} has the id of another epoch", remedy)
    known, met = epoch_of(newest) if newest else _FIRST_EPOCH, newest_of(lineage).number
    if epoch.number > met and epoch.number != met + 1 and not may_follow(epoch.number, known):
        reason = (
            f"epoch {epoch.number} of {speaker} is more than {EPOCH_STEP:,} above {known}, which is the newest here"
        )
        return Refuse(EPOCH_TOO_HIGH, reason, remedy)
    return None


def outdated(epoch: Epoch, known: Epoch, guards: RoleGuards = EVERY_GUARD) -> Refuse | None:
    """What is said where it is not the newest: ``known`` is."""
    if precedes(epoch, known) or not guards.stale_refused:
        return None
    reason = f"epoch {epoch.number} of {epoch.owner} is not the newest: {known.owner} holds epoch {known.number}"
    return Refuse(STALE_EPOCH, reason, f"see hikae status on {epoch.owner}", known.number)
