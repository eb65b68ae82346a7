"""Until a standby could be promoted: what its status says of the gates."""

from __future__ import annotations

from fakes.agents import Agent
from fakes.eventually import eventually


def lacks_only(agent: Agent, *gates: str) -> None:
    """Wait until these gates of a promotion are not met, and all others are; ``primary`` is that while one lives."""

    def lacking() -> set[str] | None:
        promotion = agent.look().get("promotion")
        return {gate["name"] for gate in promotion["gates"] if not gate["ok"]} if promotion else None

    eventually(lambda: set(gates) == lacking())
