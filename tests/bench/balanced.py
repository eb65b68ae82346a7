"""Job: how long a client behind a load balancer is confirmed nothing, from when an operator types the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping

from bench.crew import Failed
from bench.figures import Row, Spec, alone
from bench.job import Bench
from bench.machine import Unmeasurable
from incident.servers import PROGRAMS, servers
from incident.story import Load, Outcome, Story


def balanced(bench: Bench, specs: Mapping[str, Spec]) -> Iterator[Row]:
    """The scripted incident: Redis behind HAProxy, fifty writes a second."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0 or lacking:
        raise Unmeasurable(f"it takes root and these programs: {' '.join(lacking or PROGRAMS)}")
    figures: dict[str, list[float]] = {name: [] for name in specs}
    for _ in range(bench.sizes.role_runs):
        with servers(str(bench.base)) as made:
            outcome = Story(made, Load()).tell()
        _require_whole(outcome)
        figures["client-promote"].append(outcome.client_after_promote)
        figures["client-switchover"].append(outcome.client_at_switchover)
        bench.say(", ".join(f"{name} {done[-1]:.2f} s" for name, done in figures.items()))
    for name, measured in figures.items():
        yield alone(specs[name], measured)


def _require_whole(outcome: Outcome) -> None:
    if lost := [*outcome.missing, *outcome.lost_after]:
        raise Failed(
            f"{len(lost)} numbers are missing that a wait had covered, or that were written before a switchover"
        )
