"""Does the agent run, is it of this release, and what does it say itself?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent import __version__
from agent.core.errors import HikaeError
from agent.doctor.diagnosis import Condition, Diagnosis, good
from agent.status.figures import count_text
from agent.status.json_value import Json
from agent.status.reading import read_state

_NAME = "agent"


@dataclass(frozen=True, slots=True)
class AgentFound:
    """What it published: ``version``, and how many problems it tells of by severity (its own and those of its datasets).
    ``silent``: why nothing is known, "" where something is; ``remedy``: what to type then."""

    version: str = ""
    errors: int = 0
    warnings: int = 0
    silent: str = ""
    remedy: str = ""


def look_at_agent(directory: str) -> AgentFound:
    """Read what the agent publishes in ``directory``; it is not asked, so one that hangs is told."""
    try:
        value = read_state(directory)
    except HikaeError as error:
        return AgentFound(silent=error.reason, remedy=error.remedy)
    severities = [problem["severity"] for problem in _problems(value)]
    return AgentFound(value["version"], severities.count("error"), severities.count("warning"))


def judge_agent(found: AgentFound, version: str = __version__) -> Iterator[Diagnosis]:
    """How the agent is. ``version``: of this command. Pure."""
    if found.silent:
        message = f"the agent says nothing ({found.silent}), so nothing is replicated from or to this node"
        yield Diagnosis(_NAME, Condition.WARNING, message, "systemctl start hikae; journalctl -u hikae -n 50")
        return
    if found.version != version:
        message = f"the agent that runs is hikae {found.version}, and hikae {version} is installed"
        yield Diagnosis(_NAME, Condition.WARNING, message, "systemctl restart hikae hikae-web (the secondary first)")
    if found.errors or found.warnings:
        counted = ", ".join(
            count_text(count, noun) for count, noun in ((found.errors, "error"), (found.warnings, "warning")) if count
        )
        message = f"the agent runs, and tells of {counted}"
        yield Diagnosis(_NAME, Condition.WARNING, message, "hikae status says which, and what to type")
    elif found.version == version:
        yield good(_NAME, f"the agent runs (hikae {version}), and tells of no problem")


def _problems(value: Json) -> Iterator[Json]:
    yield from value["problems"]
    for dataset in value["datasets"]:
        yield from dataset["problems"]
