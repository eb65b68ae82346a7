"""Agents whose health and console are configured, and how they are asked."""

from __future__ import annotations

import http.client
from dataclasses import dataclass

from fakes.agents import Agent, free_port


@dataclass(frozen=True, slots=True)
class WebPorts:
    """Where one agent's second process listens, on loopback."""

    health: int
    agent_check: int
    console: int


def with_web(agent: Agent, more: str = "", host: str = "127.0.0.1") -> WebPorts:
    """Configure health, agent-check and console of an agent that does not run; ``more`` stands below ``[console]``."""
    ports = WebPorts(free_port(), free_port(), free_port())
    tables = (
        f'[health]\nlisten = "{host}:{ports.health}"\nagent_check = "{host}:{ports.agent_check}"\n'
        f'[console]\nlisten = "{host}:{ports.console}"\n{more}'
    )
    agent.config.write_text(agent.config.read_text().replace("[tls]", f"{tables}[tls]", 1))
    return ports


def asked(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    """Code and body; 0 and "" where nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
