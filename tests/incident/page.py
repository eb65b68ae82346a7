"""docs/incident.md, of one run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from incident.servers import Servers
from incident.story import Outcome

_HERE = Path(__file__).parent
#: The run itself keeps a machine about so busy.
_ALONE = 2.0


def page(outcome: Outcome, made: Servers, rate: float) -> str:
    """The page."""
    load = os.getloadavg()[0]
    times = "\n".join(f"| {what} | {seconds} |" for what, seconds in outcome.times)
    head = (
        (_HERE / "head.md")
        .read_text()
        .format(
            times=times,
            covered=outcome.covered,
            missing=len(outcome.missing),
            lost=len(outcome.lost),
            after=len(outcome.lost_after),
            redis=(_HERE / "redis.conf").read_text(),
            hooks=(_HERE / "hooks.toml").read_text(),
            rate=rate,
            cores=os.cpu_count(),
            load=load,
            alone="nothing else ran" if load < _ALONE else "others worked on it too, so the times say little",
        )
    )
    steps = (f"## {step.title}\n\n```\n{_lines(step.lines, made)}\n```\n" for step in outcome.steps)
    return "\n".join([head, *steps])


def _lines(lines: list[str], made: Servers) -> str:
    return "\n".join(as_installed(line, made).rstrip() for line in lines)


def as_installed(line: str, made: Servers) -> str:
    """With the places that the README names instead of this machine's."""
    for agent in made.fleet.agents:
        line = line.replace(str(made.place(agent.name)), "/srv/shop").replace(str(agent.state), "/var/lib/hikae")
        line = re.sub(rf"{made.lan.hosts[agent.name][1]}:{agent.port}\b", f"{agent.name}.example:7440", line)
    return line.replace(str(made.base), "/etc/hikae")
