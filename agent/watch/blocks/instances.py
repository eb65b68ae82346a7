"""What trace instances are called, and which of them nobody uses."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from agent.config.nesting import mounts
from agent.watch.blocks.tracefs import removed

#: What every agent's trace instances begin with.
_ANY = "hikae-"
#: Seconds from the making of an instance until its rings are held for sure.
_JUST_MADE = 60.0


def instance_name(state: Path, dataset: str) -> str:
    """The name of a dataset's trace instance: no other agent of this machine has it, not even in a container."""
    return f"{_prefix(state)}{dataset}"


def leftovers_removed(state: Path, datasets: Collection[str]) -> list[str]:
    """Remove the trace instances of this agent's earlier lives that none of these datasets uses, and those of any agent that was
    killed; their names.

    To be called at the agent's start, and once a dataset is configured no more. Where no tracefs is mounted, there is nothing,
    and it is not mounted for this."""
    keep = {instance_name(state, one) for one in datasets}
    gone: list[str] = []
    for tracefs in (point for point, kind in mounts() if kind == "tracefs"):
        instances = Path(tracefs) / "instances"
        for name in of_nobody(_found(instances), _prefix(state), keep, time.time()):
            with suppress(OSError):
                removed(instances / name)
                gone.append(name)
    return gone


def of_nobody(found: Mapping[str, float], own: str, keep: Collection[str], now: float) -> list[str]:
    """Which trace instances nobody uses. ``found``: when each was made, or left to be found again, in seconds since 1970;
    ``own``: what the names of this agent's begin with; ``keep``: those that it uses.

    Another agent's may be one that was killed; one whose rings somebody holds cannot be removed anyway."""
    others = {name for name, made in found.items() if name.startswith(_ANY) and made + _JUST_MADE < now}
    return sorted({name for name in found if name.startswith(own) or name in others} - set(keep))


def _found(instances: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    with suppress(OSError), os.scandir(instances) as entries:
        for entry in entries:
            with suppress(OSError):
                found[entry.name] = entry.stat().st_mtime
    return found


def _prefix(state: Path) -> str:
    found = os.stat(state)
    of = f"{found.st_dev} {found.st_ino} {state.resolve()}"
    return f"{_ANY}{hashlib.blake2s(of.encode(), digest_size=5).hexdigest()}-"
