"""The guards of the role protocol, each by its name: what stands between a message, or a crash, and two writable nodes.

Decisions about roles take them as a value; whoever runs has all of them. The model of the protocol takes each out in turn, and
must come to a state that must not be.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoleGuards:
    """Whether each is in force.

    ``own_reign``: a primary goes on in no epoch but one of its own. ``above_all``: a new epoch is above every one that is known.
    ``higher_fences``: a peer's higher epoch ends ours. ``same_id``: so does an equal number with another id. ``owner_speaks``: an
    epoch is believed of nobody but its owner. ``stale_refused``: a standby takes nothing from a reign that is over.
    ``ahead_rewinds``: commits of our own epoch that only a peer has end ours. ``all_kept``: who is fenced keeps every higher
    epoch that it meets. ``confirmed``: a primary serves once its peers have said that they know no higher one. ``ahead_stays``: a
    standby follows no new primary by itself that lacks what is here. ``same_state``: a place is handed over to who has the very
    state. ``next_reign``: it is taken over in the epoch that follows what was met. ``reign_met``: the catalog of who follows
    another knows of that reign. ``older_record``: a role record that is older than the catalog beside it is not believed.
    ``fenced_tells``: who is fenced tells others the highest epoch that it has met, and not its own one, which is over."""

    own_reign: bool = True
    above_all: bool = True
    higher_fences: bool = True
    same_id: bool = True
    owner_speaks: bool = True
    stale_refused: bool = True
    ahead_rewinds: bool = True
    all_kept: bool = True
    confirmed: bool = True
    ahead_stays: bool = True
    same_state: bool = True
    next_reign: bool = True
    reign_met: bool = True
    older_record: bool = True
    fenced_tells: bool = True


EVERY_GUARD = RoleGuards()
