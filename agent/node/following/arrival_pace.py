"""How far receiving may be ahead of applying while a first sync comes in."""

from __future__ import annotations

from agent.apply.loop import ApplyLoop
from agent.apply.results import ApplyPhase
from agent.apply.writing.arriving import EarlyContent
from agent.core.ids import seq_of
from agent.store.vault.vault import Vault

#: The longest that a batch of a first sync waits for the applier: 10 MB/s go on whatever the standby does.
PACE_SECONDS = 0.1
#: In a first sync the applier is at most about so many commits behind: what one of its runs goes over is held in memory.
PACE_COMMITS = 8
PACE_COMMITS_SECONDS = 0.5


def keep_pace(early: EarlyContent, loop: ApplyLoop, vault: Vault) -> None:
    """Wait a moment where the applier is far behind. In a first sync nothing is worth more for being received early, and what the
    applier must read from disk costs both of them time: so it may fall behind no further than what is still in memory."""
    early.wait(PACE_SECONDS)
    facts = loop.facts()
    if facts.phase is ApplyPhase.CONVERGE:
        vault.wait_for_reader(PACE_SECONDS)
        if seq_of(facts.target) - seq_of(facts.stands) > PACE_COMMITS:
            loop.wait_for(lambda now: now.stands > facts.stands, PACE_COMMITS_SECONDS)
